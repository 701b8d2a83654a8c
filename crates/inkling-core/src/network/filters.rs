//! The weights of a layer as small images: what each filter looks for.

use super::{Layer, Network, Shape};
use crate::parameters::Parameter;

/// Where the filters of a layer are among the weights, and how they are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filters {
    /// Place of the first weight.
    from: usize,
    /// Number of filters.
    pub count: usize,
    /// Number of tiles: a filter is one, or one for each map that it looks at.
    tiles: usize,
    /// Shape of a tile.
    pub shape: Shape,
    /// Tiles in a row: those of some whole filters.
    pub columns: usize,
    /// Whether the weights are `[in, out]`, as those of a dense layer, and not `[out, in]`.
    by_input: bool,
}

/// The most tiles that are shown.
const MAX_TILES: usize = 4096;
/// Filters in a row, if each is a tile.
const IN_A_ROW: usize = 16;

impl Network {
    /// The filters of the layer at `place`, if it has some and they are few enough to show. The last layer is at the place after all in
    /// [`Network::layers`]. A dense layer has filters if it sees maps; those of a residual block are its first convolution's.
    pub fn filters(&self, place: usize) -> Option<Filters> {
        let layers = self.layers();
        let before = match place.checked_sub(1) {
            None => self.data().image(),
            Some(at) => layers.get(at)?.1,
        };
        let weight = self.parameters_of(place).first()?;
        let (count, side, by_input) = match (layers.get(place), &weight.shape[..]) {
            (Some((Layer::Conv(_) | Layer::Residual(_), _)), &[out, _, side, _]) => (out, side, false),
            (Some((Layer::Dense(..), _)) | None, &[_, out]) if before.side > 1 => (out, before.side, true),
            _ => return None,
        };
        let from = (0..place).flat_map(|at| self.parameters_of(at)).map(Parameter::len).sum();
        let (channels, tiles, columns) = match before.channels {
            channels @ (1 | 3) => (channels, count, IN_A_ROW.min(count)),
            // As many filters in a row as make the whole about square.
            channels => {
                let in_a_row = (count as f64 / channels as f64).sqrt().ceil() as usize;
                (1, count * channels, in_a_row * channels)
            }
        };
        let shape = Shape { channels, side };
        (tiles <= MAX_TILES).then_some(Filters { from, count, tiles, shape, columns, by_input })
    }
}

impl Filters {
    /// Tiles of a filter, and filters in a row.
    pub fn arrangement(&self) -> (usize, usize) {
        let tiles = self.tiles / self.count.max(1);
        (tiles, self.columns / tiles.max(1))
    }

    /// Number of the weights up to the last one of the filters.
    pub fn end(&self) -> usize {
        self.from + self.tiles * self.shape.values()
    }

    /// The filters among `weights`, which may end with them: tile by tile, `[C, H, W]` each.
    pub fn pick(&self, weights: &[f32]) -> Vec<f32> {
        let weights = weights.get(self.from..self.end()).unwrap_or_default();
        if !self.by_input {
            return weights.to_vec();
        }
        let inputs = weights.len() / self.count.max(1);
        (0..self.count).flat_map(|unit| (0..inputs).map(move |input| weights[input * self.count + unit])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{DataShape, Layers};

    fn network(text: &str, data: DataShape) -> Network {
        text.parse::<Layers>().unwrap().fit(data).unwrap()
    }

    fn shape(channels: usize, side: usize) -> Shape {
        Shape { channels, side }
    }

    #[test]
    fn every_layer_with_filters_shows_its_own() {
        let text = "conv 8, batchnorm, residual 8, residual 12, pool, dropout 0.2, conv 6 5x5, dense 16";
        let net = network(text, DataShape::DIGITS);
        let all: Vec<f32> = (0..net.count()).map(|at| at as f32).collect();
        let named = |name: &str| {
            let place = net.parameters().iter().position(|parameter| parameter.name == name).unwrap();
            let from: usize = net.parameters()[..place].iter().map(Parameter::len).sum();
            all[from..from + net.parameters()[place].len()].to_vec()
        };
        let found: Vec<_> = (0..=8).map(|place| net.filters(place)).collect();
        let shapes: Vec<_> = found.iter().map(|f| f.map(|f| (f.count, f.shape, f.columns))).collect();
        let of_maps = |count, side, columns| Some((count, shape(1, side), columns));
        assert_eq!(
            shapes,
            [
                of_maps(8, 3, 8),
                None,
                of_maps(8, 3, 8),
                of_maps(12, 3, 16),
                None,
                None,
                of_maps(6, 5, 12),
                of_maps(16, 9, 12),
                None
            ]
        );
        for (place, name) in [(0, "conv1"), (2, "conv2"), (3, "conv4"), (6, "conv7")] {
            assert_eq!(found[place].unwrap().pick(&all), named(&format!("{name}.weight")), "{name}");
        }
        // A dense layer's weights are kept input by input; the tiles are the images that each unit looks for.
        let dense = named("dense1.weight");
        let tiles = found[7].unwrap().pick(&all);
        assert_eq!((tiles[0], tiles[1], tiles[486]), (dense[0], dense[16], dense[1]));
    }

    #[test]
    fn softmax_regression_has_a_coloured_template_for_each_class() {
        let net = network("none", DataShape::SHAPES);
        let filters = net.filters(0).unwrap();
        assert_eq!((filters.count, filters.shape, filters.columns), (9, shape(3, 32), 9));
        assert_eq!(filters.pick(&vec![1.0; net.count()]).len(), 9 * 3 * 32 * 32);
        assert_eq!(filters.pick(&[]), Vec::<f32>::new());
        // Too many to show.
        assert_eq!(network("conv 64, conv 128 3x3", DataShape::DIGITS).filters(1), None);
    }
}
