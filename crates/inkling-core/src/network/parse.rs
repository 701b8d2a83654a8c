//! The text of a network: `conv 32, pool, conv 64 5x5 same tanh, dense 128, dropout 0.3`.

use std::{str::FromStr, sync::Arc};

use thiserror::Error;

use super::{Activation, Conv, DataShape, Layer, Layers, MAX_LAYERS, Network, Pool, Residual};

/// Most filters of a convolution, and most units of a dense layer.
const MAX_CHANNELS: u32 = 512;
const MAX_UNITS: u32 = 2048;
/// A longer text is not read.
const MAX_TEXT: usize = 1000;

/// Why a text is not a network that can be trained.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// One layer is wrong.
    #[error("can't be built: in layer {number}, \"{layer}\", {problem}")]
    Layer {
        /// Which layer, from 1.
        number: usize,
        /// Its text.
        layer: String,
        /// What is wrong with it, and what would work.
        problem: String,
    },
    /// The whole is too large.
    #[error("can't be built: {0}")]
    Whole(String),
}

impl FromStr for Layers {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        if text.len() > MAX_TEXT {
            return Err(NetworkError::Whole(format!("its text has more than {MAX_TEXT} letters")));
        }
        let only_the_last_layer = text.trim() == "none";
        let layers = text.split(',').enumerate().filter(|_| !only_the_last_layer).map(|(at, layer)| {
            let layer = layer.trim();
            let wrong = |problem| NetworkError::Layer { number: at + 1, layer: layer.into(), problem };
            let parsed = parse(layer).map_err(wrong)?;
            if at < MAX_LAYERS { Ok(parsed) } else { Err(wrong(format!("it is one of more than {MAX_LAYERS} layers"))) }
        });
        Ok(Layers(Arc::new(layers.collect::<Result<_, _>>()?)))
    }
}

impl TryFrom<String> for Layers {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Layers> for String {
    fn from(layers: Layers) -> String {
        layers.to_string()
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// The network for ten digits of 28 by 28 gray pixels.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        text.parse::<Layers>()?.fit(DataShape::DIGITS)
    }
}

/// One layer, or what is wrong with its text.
pub(super) fn parse(text: &str) -> Result<Layer, String> {
    let text = text.to_lowercase();
    let mut words = text.split_whitespace();
    let layer = match words.next() {
        Some("conv") => convolution(&mut words)?,
        Some("pool" | "maxpool") => Layer::Pool(Pool::Max),
        Some("avgpool") => Layer::Pool(Pool::Average),
        Some("globalpool") => Layer::GlobalPool,
        Some("batchnorm") => Layer::BatchNorm(function(&mut words, Activation::None)?),
        Some("residual") => {
            let channels = filters(words.next(), "residual")?;
            Layer::Residual(Residual { channels, activation: function(&mut words, Activation::Relu)? })
        }
        Some("dropout") => {
            let share = words.next().and_then(|word| word.parse().ok()).filter(|share| (0.0..=0.9).contains(share));
            Layer::Dropout(share.ok_or("a share from 0 to 0.9 must follow, as in \"dropout 0.3\"")?)
        }
        Some("dense") => {
            let units = number(words.next(), MAX_UNITS)
                .ok_or(format!("a number of units from 1 to {MAX_UNITS} must follow, as in \"dense 128\""))?;
            Layer::Dense(units, function(&mut words, Activation::Relu)?)
        }
        Some(word) => {
            return Err(format!(
                "\"{word}\" is not a layer; use conv, residual, batchnorm, pool, avgpool, globalpool, dense or dropout"
            ));
        }
        None => return Err("there is nothing between two commas".into()),
    };
    match words.next() {
        Some(word) => Err(unknown(word)),
        None => Ok(layer),
    }
}

fn convolution<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<Layer, String> {
    let channels = filters(words.next(), "conv")?;
    let mut conv = Conv { channels, kernel: 3, same: false, stride: 1, activation: Activation::Relu };
    while let Some(word) = words.next() {
        match word {
            "1x1" => conv.kernel = 1,
            "3x3" => conv.kernel = 3,
            "5x5" => conv.kernel = 5,
            "7x7" => conv.kernel = 7,
            "same" => conv.same = true,
            "valid" => conv.same = false,
            "stride" => conv.stride = number(words.next(), 2).ok_or("the stride must be 1 or 2")?,
            _ => conv.activation = activation(word).ok_or(unknown(word))?,
        }
    }
    Ok(Layer::Conv(conv))
}

/// The number of filters of a `layer`.
fn filters(word: Option<&str>, layer: &str) -> Result<u32, String> {
    number(word, MAX_CHANNELS)
        .ok_or_else(|| format!("a number of filters from 1 to {MAX_CHANNELS} must follow, as in \"{layer} 32\""))
}

/// The function that the next word names, or the `usual` one if there is no word.
fn function<'a>(words: &mut impl Iterator<Item = &'a str>, usual: Activation) -> Result<Activation, String> {
    words.next().map_or(Ok(usual), |word| activation(word).ok_or_else(|| unknown(word)))
}

fn number(word: Option<&str>, most: u32) -> Option<u32> {
    word?.parse().ok().filter(|number| (1..=most).contains(number))
}

fn activation(word: &str) -> Option<Activation> {
    Activation::NAMES.iter().find(|(_, name)| *name == word).map(|(activation, _)| *activation)
}

fn unknown(word: &str) -> String {
    let names: Vec<_> = Activation::NAMES.iter().map(|(_, name)| *name).collect();
    format!(
        "\"{word}\" is unknown; a convolution may have 1x1, 3x3, 5x5 or 7x7, same or valid, stride 2, and like most layers one of {}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{MAX_PARAMETERS, READY_MADE};
    use proptest::prelude::*;

    #[test]
    fn the_default_is_the_network_of_the_keras_script() {
        let network = Network::default();
        let text = "conv 32, pool, conv 64, pool, dense 128, dropout 0.3";
        assert_eq!(network.to_string(), text);
        assert_eq!(text.parse(), Ok(network.clone()));
        assert_eq!(network.count(), 225_034);
        // 26 x 26 x 32 x 9, 11 x 11 x 64 x 288, 1600 x 128 and 128 x 10.
        assert_eq!(network.multiply_adds(), 194_688 + 2_230_272 + 204_800 + 1_280);
        let shapes: Vec<_> = network.parameters().iter().map(|p| (p.name.as_str(), p.shape.clone())).collect();
        assert_eq!(shapes[2], ("conv2.weight", vec![64, 32, 3, 3]));
        assert_eq!(shapes[4], ("dense1.weight", vec![1600, 128]));
        assert_eq!(shapes[7], ("dense2.bias", vec![10]));
        assert!(network.sentence().ends_with("225,034 parameters, 2,631,040 multiply-adds for an image."));
    }

    #[test]
    fn known_networks_have_their_known_sizes() {
        let count = |text: &str| text.parse::<Network>().unwrap().count();
        assert_eq!(count("none"), 7_850); // softmax regression
        assert_eq!(count("conv 16, pool, conv 24, pool"), 9_650);
        assert_eq!(count("conv 8, globalpool"), 80 + 90);
        assert_eq!(count("dense 128"), 784 * 128 + 128 + 1290);
        // LeNet-5 as PyTorch's and Keras's tutorials build it (LeCun et al. 1998).
        assert_eq!(
            count("conv 6 5x5 same tanh, avgpool, conv 16 5x5 tanh, avgpool, dense 120 tanh, dense 84 tanh"),
            61_706
        );
        // Gamma, beta, mean and variance; two convolutions 3x3; the shortcut needs one only if the number of maps changes.
        assert_eq!(count("batchnorm, globalpool"), 4 + 20);
        assert_eq!(count("residual 4, residual 4, globalpool"), (40 + 148 + 8) + 2 * 148 + 50);
    }

    #[test]
    fn every_ready_made_network_fits_and_the_first_is_the_default() {
        for ready in READY_MADE {
            assert_eq!(ready.text.parse::<Network>().unwrap().to_string(), ready.text);
        }
        assert_eq!(READY_MADE[0].text.parse(), Ok(Network::default()));
    }

    #[test]
    fn an_error_points_at_the_layer_and_says_what_would_work() {
        let error = |text: &str| text.parse::<Network>().unwrap_err().to_string();
        for (text, words) in [
            (
                "pool, pool, pool, pool, conv 8",
                "layer 5, \"conv 8\", the image is 1x1 here: no room for a 3x3 convolution; write \"same\"",
            ),
            ("pool, pool, pool, pool, pool", "nothing left to pool"),
            ("dense 10, globalpool", "there is no image after a dense layer"),
            ("dense 10, conv 8", "there is no image after a dense layer"),
            ("conv 0", "a number of filters from 1 to 512"),
            ("conv 8 4x4", "\"4x4\" is unknown"),
            ("residual", "a number of filters from 1 to 512 must follow, as in \"residual 32\""),
            ("residual 8 same", "\"same\" is unknown"),
            ("batchnorm 8", "\"8\" is unknown"),
            ("dense 10, residual 8", "there is no image after a dense layer"),
            ("conv 8 stride 3", "the stride must be 1 or 2"),
            ("dropout 1", "a share from 0 to 0.9"),
            ("dropout NaN", "a share from 0 to 0.9"),
            ("conv 8,, pool", "nothing between two commas"),
            ("", "nothing between two commas"),
            ("lstm 8", "\"lstm\" is not a layer"),
            ("pool 3", "\"3\" is unknown"),
            ("dense 2048, dense 2048", "parameters; a tab has room for"),
            ("conv 512 same", "values for each image; a tab has room for"),
        ] {
            assert!(error(text).contains(words), "{text}: {}", error(text));
        }
        assert!(error(&"pool,".repeat(400)).contains("more than 1000 letters"));
        assert!(error(&["dense 1"; 40].join(",")).contains("more than 32 layers"));
    }

    #[test]
    fn a_network_survives_its_text() {
        for text in [
            "none",
            "conv 16 5x5 same stride 2 gelu, avgpool, dropout 0.25, dense 64 none",
            "conv 8 1x1 silu, globalpool, dense 9 sigmoid",
            "batchnorm, conv 8 none, batchnorm relu, pool, residual 8 silu, residual 16, dense 9 none, batchnorm tanh",
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_string(), text);
            let json = serde_json::to_string(&network).unwrap();
            assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), network);
        }
        let loud: Network = " CONV 8 3x3 valid stride 1 relu ,MaxPool".parse().unwrap();
        assert_eq!(loud.to_string(), "conv 8, pool");
        assert!(serde_json::from_str::<Network>("\"conv\"").is_err());
    }

    proptest! {
        #[test]
        fn any_text_gives_a_network_within_the_limits_or_an_error(text in "((conv|pool|avgpool|batchnorm|residual|dense|dropout|none)( (same|stride|gelu|5x5|0\\.[0-9]|[0-9]{1,3})){0,3},?){0,8}|.{0,60}") {
            if let Ok(network) = text.parse::<Network>() {
                prop_assert!(network.count() <= MAX_PARAMETERS);
                prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
            }
        }
    }
}
