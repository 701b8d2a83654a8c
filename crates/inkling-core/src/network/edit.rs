//! Changing a network layer by layer, and what each layer is like, also in one that does not fit yet.

use std::sync::Arc;

use super::{Builder, DataShape, Layer, Layers, MAX_LAYERS, NetworkError, Shape, parse::parse};

/// A change of one layer. Places count from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Put a layer with this text where a new one of its kind belongs: before the first dense layer, or at the end.
    Add(String),
    /// Replace the layer at a place by the one with this text.
    Change(usize, String),
    /// Exchange the layer at a place with the one before it.
    MoveUp(usize),
    /// Exchange the layer at a place with the one after it.
    MoveDown(usize),
    /// Remove the layer at a place.
    Remove(usize),
}

/// What one layer of a network is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// The layer; `None` for the last one, which is always there.
    pub layer: Option<Layer>,
    /// The shape after it, its parameters and its multiply-adds; or what is wrong with it. Layers after a wrong one have
    /// neither.
    pub size: Result<LayerSize, Option<String>>,
}

/// Size of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerSize {
    /// The shape after it.
    pub shape: Shape,
    /// Number of its parameters.
    pub parameters: usize,
    /// Its multiplications, each with an addition, for one image.
    pub multiply_adds: u64,
}

impl Layers {
    /// Number of layers; the last one, which is always there, does not count.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether only the last layer is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These layers after a change. A place that does not exist changes nothing.
    ///
    /// # Errors
    /// [`NetworkError`] if a text is no layer, or there are too many.
    pub fn edited(&self, edit: &Edit) -> Result<Layers, NetworkError> {
        let mut layers = self.0.to_vec();
        let new = |text: &str, at: usize| {
            parse(text).map_err(|problem| NetworkError::Layer { number: at + 1, layer: text.into(), problem })
        };
        match edit {
            Edit::Add(text) => {
                let layer = new(text, layers.len())?;
                let flat = layers.iter().position(|layer| matches!(layer, Layer::Dense(..)));
                let place = match layer {
                    Layer::Conv(_) | Layer::Residual(_) | Layer::BatchNorm(_) | Layer::Pool(_) | Layer::GlobalPool => {
                        flat.unwrap_or(layers.len())
                    }
                    Layer::Dense(..) | Layer::Dropout(_) => layers.len(),
                };
                if layers.len() == MAX_LAYERS {
                    return Err(NetworkError::Whole(format!("it has {MAX_LAYERS} layers, and no more are possible")));
                }
                layers.insert(place, layer);
            }
            Edit::Change(at, text) => {
                let layer = new(text, *at)?;
                if let Some(place) = layers.get_mut(*at) {
                    *place = layer;
                }
            }
            Edit::MoveUp(at) if (1..layers.len()).contains(at) => layers.swap(*at, at - 1),
            Edit::MoveDown(at) if at + 1 < layers.len() => layers.swap(*at, at + 1),
            Edit::Remove(at) if *at < layers.len() => _ = layers.remove(*at),
            Edit::MoveUp(_) | Edit::MoveDown(_) | Edit::Remove(_) => {}
        }
        Ok(Layers(Arc::new(layers)))
    }

    /// What each layer is like on a data set, the last one included.
    pub fn outline(&self, data: DataShape) -> Vec<Outline> {
        let mut builder = Builder::new(data);
        let mut problem = None;
        let mut outlines = Vec::new();
        for layer in self.0.iter().map(|layer| Some(*layer)).chain([None]) {
            let (parameters, multiply_adds) = (builder.plan.count, builder.plan.multiply_adds);
            let fits = match (&problem, layer) {
                (Some(_), _) => Err(None),
                (None, Some(layer)) => builder.push(layer).map_err(Some),
                (None, None) => builder.push_last().map_err(Some),
            };
            if let Err(Some(words)) = &fits {
                problem = Some(words.clone());
            }
            let size = fits.map(|()| LayerSize {
                shape: builder.shape,
                parameters: builder.plan.count - parameters,
                multiply_adds: builder.plan.multiply_adds - multiply_adds,
            });
            outlines.push(Outline { layer, size });
        }
        outlines
    }

    /// For each layer, whether Inkling's own kernels compute it on the CPU, and not Burn's: a convolution with stride 1, also in a residual
    /// block, and the max-pool after it, if the two are one operation because their sizes suit the registers. (A test compares this with
    /// the kernels' own rule.)
    pub fn fused(&self, data: DataShape) -> Vec<bool> {
        let mut input = data.image();
        let mut fused = vec![false; self.0.len()];
        for (at, outline) in self.outline(data).iter().enumerate() {
            let pooled = matches!(self.0.get(at + 1), Some(Layer::Pool(super::Pool::Max)));
            match outline.layer {
                Some(Layer::Conv(conv)) => fused[at] = conv.stride == 1,
                Some(Layer::Residual(_)) => fused[at] = true,
                _ => {}
            }
            if let Some(Layer::Conv(conv)) = outline.layer
                && conv.is_block()
                && pooled
                && (input.channels == 1 || input.channels.is_multiple_of(4))
                && conv.channels.is_multiple_of(8)
                && input.side >= 4
            {
                fused[at + 1] = true;
            }
            if let Ok(size) = outline.size {
                input = size.shape;
            }
        }
        fused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layers(text: &str) -> Layers {
        text.parse().unwrap()
    }

    #[test]
    fn layers_are_added_where_they_belong_moved_changed_and_removed() {
        let start = layers("conv 8, dense 16");
        let after = |edit: Edit| start.edited(&edit).unwrap().to_string();
        assert_eq!(after(Edit::Add("pool".into())), "conv 8, pool, dense 16");
        assert_eq!(after(Edit::Add("dropout 0.3".into())), "conv 8, dense 16, dropout 0.3");
        assert_eq!(layers("none").edited(&Edit::Add("conv 4".into())).unwrap().to_string(), "conv 4");
        assert_eq!(after(Edit::Change(0, "conv 9 5x5 same tanh".into())), "conv 9 5x5 same tanh, dense 16");
        assert_eq!(after(Edit::MoveUp(1)), "dense 16, conv 8");
        assert_eq!(after(Edit::MoveDown(0)), "dense 16, conv 8");
        assert_eq!(after(Edit::Remove(1)), "conv 8");
        for edit in [Edit::MoveUp(0), Edit::MoveDown(1), Edit::Remove(9), Edit::Change(7, "pool".into())] {
            assert_eq!(after(edit), start.to_string());
        }
        let error = start.edited(&Edit::Change(1, "dense 0".into())).unwrap_err().to_string();
        assert!(error.contains("in layer 2, \"dense 0\", a number of units"), "{error}");
        let full = layers(&["dropout 0"; 32].join(","));
        assert!(full.edited(&Edit::Add("pool".into())).unwrap_err().to_string().contains("32 layers"));
    }

    #[test]
    fn the_outline_has_the_size_of_each_layer_and_the_first_one_that_does_not_fit() {
        let outline = Layers::default().outline(DataShape::DIGITS);
        let sizes: Vec<_> = outline.iter().map(|layer| layer.size.clone().unwrap()).collect();
        assert_eq!(sizes[0].shape, Shape { channels: 32, side: 26 });
        assert_eq!(
            sizes.iter().map(|size| size.parameters).collect::<Vec<_>>(),
            [320, 0, 18_496, 0, 204_928, 0, 1_290]
        );
        assert_eq!(sizes.iter().map(|size| size.multiply_adds).sum::<u64>(), 2_631_040);
        let outline = layers("pool, pool, pool, pool, conv 8, dense 9").outline(DataShape::DIGITS);
        assert!(
            matches!(&outline[4].size, Err(Some(words)) if words.contains("no room for a 3x3")),
            "{:?}",
            outline[4]
        );
        assert_eq!((outline.len(), outline[5].size.clone()), (7, Err(None)));
    }

    #[test]
    fn convolutions_are_fused_and_a_pool_with_the_one_before_it() {
        let fused = |text: &str, data| layers(text).fused(data);
        assert_eq!(
            fused("conv 32, pool, conv 64, pool, dense 128", DataShape::DIGITS),
            [true, true, true, true, false]
        );
        assert_eq!(
            fused("conv 32, pool, conv 9, pool, conv 8 stride 2", DataShape::SHAPES),
            [true, false, true, false, false]
        );
        assert_eq!(
            fused("conv 8 same, pool, residual 16, avgpool, conv 8, pool", DataShape::DIGITS),
            [true, false, true, false, true, true]
        );
    }

    proptest! {
        #[test]
        fn the_outline_agrees_with_the_network(text in "((conv|pool|avgpool|globalpool|batchnorm|residual|dense|dropout)( (same|5x5|0\\.[0-9]|[0-9]{1,3})){1,2},?){1,6}") {
            if let Ok(layers) = text.parse::<Layers>() {
                for data in [DataShape::DIGITS, DataShape::SHAPES] {
                    let sizes: Result<Vec<LayerSize>, _> = layers.outline(data).into_iter().map(|layer| layer.size).collect();
                    match (layers.fit(data), sizes) {
                        (Ok(net), Ok(sizes)) => {
                            prop_assert_eq!(net.count(), sizes.iter().map(|size| size.parameters).sum::<usize>());
                            prop_assert_eq!(net.multiply_adds(), sizes.iter().map(|size| size.multiply_adds).sum::<u64>());
                        }
                        (fits, sizes) => prop_assert!(fits.is_err() && sizes.is_err()),
                    }
                }
            }
        }
    }
}
