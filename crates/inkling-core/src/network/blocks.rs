//! The layers of a network in the groups in which they are drawn.

use std::ops::Range;

use super::{Layer, Network, Shape};
use crate::{message, parameters::Parameter};

/// Layers that are drawn as one: a layer with weights, and those without that follow it.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// As in `conv 2`: the kind of the first layer, and which one of its kind it is.
    pub name: String,
    /// Places of its layers; the last layer of the network is at the place after all in [`Network::layers`].
    pub layers: Range<usize>,
    /// What comes out.
    pub shape: Shape,
    /// Number of its parameters.
    pub parameters: usize,
}

impl Network {
    /// The blocks, in order. The last one is the last layer alone, with the name `answer`.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        for (place, (layer, shape)) in self.layers().iter().enumerate() {
            let parameters = self.count_of(place);
            let (kind, begins) = match layer {
                Layer::Conv(_) => ("conv", true),
                Layer::Residual(_) => ("residual", true),
                Layer::Dense(..) => ("dense", true),
                Layer::Pool(_) | Layer::GlobalPool => ("pool", false),
                Layer::BatchNorm(_) => ("batch norm", false),
                Layer::Dropout(_) => ("dropout", false),
            };
            match blocks.last_mut().filter(|_| !begins) {
                Some(block) => {
                    (block.layers.end, block.shape) = (place + 1, *shape);
                    block.parameters += parameters;
                }
                None => {
                    let number = 1 + blocks.iter().filter(|block| block.name.starts_with(kind)).count();
                    let name = format!("{kind} {number}");
                    blocks.push(Block { name, layers: place..place + 1, shape: *shape, parameters });
                }
            }
        }
        let last = self.layers().len();
        let shape = Shape { channels: self.data().classes(), side: 1 };
        blocks.push(Block {
            name: message!("answer").into(),
            layers: last..last + 1,
            shape,
            parameters: self.count_of(last),
        });
        blocks
    }

    fn count_of(&self, place: usize) -> usize {
        self.parameters_of(place).iter().map(Parameter::len).sum()
    }
}

#[cfg(test)]
mod tests {

    use crate::network::{DataShape, Layers};

    #[test]
    fn a_block_is_a_layer_with_weights_and_what_follows_it() {
        let text = "pool, conv 8 same none, batchnorm relu, pool, residual 8, conv 4, dense 16, dropout 0.2";
        let net = text.parse::<Layers>().unwrap().fit(DataShape::DIGITS).unwrap();
        let blocks = net.blocks();
        let found: Vec<_> = blocks.iter().map(|b| (b.name.as_str(), b.layers.clone(), b.shape.to_string())).collect();
        assert_eq!(
            found,
            [
                ("pool 1", 0..1, "1 x 14 x 14".into()),
                ("conv 1", 1..4, "8 x 7 x 7".into()),
                ("residual 1", 4..5, "8 x 7 x 7".into()),
                ("conv 2", 5..6, "4 x 5 x 5".into()),
                ("dense 1", 6..8, "16".into()),
                ("answer", 8..9, "10".into()),
            ]
        );
        assert_eq!(blocks.iter().map(|block| block.parameters).sum::<usize>(), net.count());
    }
}
