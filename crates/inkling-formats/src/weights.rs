//! Writes weights as files and reads them back. In safetensors, tensors have the names and shapes that a PyTorch user
//! expects: `conv1.weight` `[32, 1, 3, 3]`, ..., `dense1.weight` `[128, 1600]` (Burn has `[in, out]`, PyTorch
//! `[out, in]`). In burnpack, they have Burn's shapes.

use std::collections::BTreeMap;

use burn_pack::{Bytes, DType, Reader, Writer};
use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};

pub use crate::tensors::WeightsError;
use crate::{
    onnx,
    tensors::{Found, Order, bytes, floats, gather, parts, transposed},
};
use inkling_core::{
    data::{DataShape, Dataset, Shape},
    network::{Layers, Network, READY_MADE},
    parameters::Parameter,
    protocol::Format,
};

/// The name under which a file keeps the text of its network.
const NETWORK: &str = "network";
/// The names under which it keeps what its images look like: `1x28x28`, that is, channels, rows and columns; and how many classes they have.
const IMAGES: &str = "images";
const CLASSES: &str = "classes";

/// Encodes the weights of `net` as a file, from one list of numbers in the order of [`Network::parameters`]. The file is read back and compared before it is returned.
///
/// # Errors
/// [`WeightsError`] if the number of weights is wrong or the file does not read back unchanged.
pub fn file(format: Format, net: &Network, weights: &[f32]) -> Result<Vec<u8>, WeightsError> {
    if weights.len() != net.count() {
        return Err(WeightsError::Mismatch(vec![format!("{} numbers instead of {}", weights.len(), net.count())]));
    }
    let (file, read): (_, Read) = match format {
        Format::Safetensors => (to_safetensors(net, weights)?, from_safetensors),
        Format::Burnpack => (to_burnpack(net, weights)?, from_burnpack),
        Format::Onnx => (onnx::model(net, weights), onnx::weights),
    };
    let again = read(net, &file)?;
    let same = again.iter().zip(weights).all(|(a, b)| a.to_bits() == b.to_bits());
    if same { Ok(file) } else { Err(WeightsError::Mismatch(vec!["the file does not read back unchanged".into()])) }
}

type Read = fn(&Network, &[u8]) -> Result<Vec<f32>, WeightsError>;

/// The weights of `net` in a safetensors or burnpack file, in the order of [`Network::parameters`].
///
/// # Errors
/// [`WeightsError`], which names every tensor that is missing or different.
pub fn read(net: &Network, file: &[u8]) -> Result<Vec<f32>, WeightsError> {
    let burnpack = burn_pack::Header::from_bytes(file).is_ok();
    let weights = if burnpack { from_burnpack(net, file) } else { from_safetensors(net, file) }?;
    if weights.iter().all(|weight| weight.is_finite()) { Ok(weights) } else { Err(WeightsError::NotFinite) }
}

/// The weights in a safetensors or burnpack file, and their network: the one that the file names, or else `net`, or a ready-made one,
/// whose tensors have the same names and shapes.
///
/// # Errors
/// [`WeightsError`]: how the file differs from `net`, if it fits no other network.
pub fn open(net: &Network, file: &[u8]) -> Result<(Network, Vec<f32>), WeightsError> {
    let of = |text: &str| text.parse::<Layers>().ok()?.fit(net.data()).ok();
    let fits = |other: Network| read(&other, file).ok().map(|weights| (other, weights));
    if let Some(opened) = metadata(file).and_then(|known| of(known.get(NETWORK)?)).and_then(fits) {
        return Ok(opened);
    }
    match read(net, file) {
        Ok(weights) => Ok((net.clone(), weights)),
        Err(error @ WeightsError::Mismatch(_)) => {
            READY_MADE.iter().filter_map(|ready| of(ready.text)).find_map(fits).ok_or(error)
        }
        Err(error) => Err(error),
    }
}

/// The network that a file describes, and the images that it is for. `None` if the file was not made by Inkling, or by an earlier version.
pub fn described(file: &[u8]) -> Option<Network> {
    let known = metadata(file)?;
    let (channels, side) = known.get(IMAGES)?.split_once('x')?;
    let image = Shape { channels: channels.parse().ok()?, side: side.split_once('x')?.0.parse().ok()? };
    let data = DataShape::new(image, known.get(CLASSES)?.parse().ok()?).ok()?;
    known.get(NETWORK)?.parse::<Layers>().ok()?.fit(data).ok()
}

/// What a file says about itself.
fn metadata(file: &[u8]) -> Option<BTreeMap<String, String>> {
    match Reader::from_bytes(Bytes::from_bytes_vec(file.to_vec())) {
        Ok(reader) => Some(reader.metadata().clone().into_iter().collect()),
        Err(_) => Some(SafeTensors::read_metadata(file).ok()?.1.metadata().clone()?.into_iter().collect()),
    }
}

/// What [`described`] reads.
fn description(net: &Network) -> [(&'static str, String); 3] {
    let Shape { channels, side } = net.data().image();
    let classes = net.data().classes();
    [(NETWORK, net.to_string()), (IMAGES, format!("{channels}x{side}x{side}")), (CLASSES, classes.to_string())]
}

fn to_safetensors(net: &Network, weights: &[f32]) -> Result<Vec<u8>, WeightsError> {
    let format = |error: safetensors::SafeTensorError| WeightsError::Format(error.to_string());
    let tensors: Vec<_> = parts(net, weights)
        .map(|(parameter, values)| {
            let (here, there) = (&parameter.shape, Order::PyTorch.shape(parameter));
            let values = if there == *here { values.to_vec() } else { transposed(values, [here[0], here[1]]) };
            (&parameter.name, there, bytes(&values))
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(format)?;
    let made_by = concat!("Inkling ", env!("CARGO_PKG_VERSION"));
    let metadata = [("format", "pt".into()), ("made_by", made_by.into())].into_iter().chain(description(net));
    let metadata = metadata.map(|(key, value)| (key.to_string(), value)).collect();
    serialize(views, Some(metadata)).map_err(format)
}

/// A data set as a safetensors file: `train.images` and `test.images` `[N, C, H, W]`, 0 to 255, with `train.labels` and `test.labels`
/// `[N]`.
///
/// # Errors
/// [`WeightsError::Format`] if the file can't be written.
pub fn data_file(data: &Dataset) -> Result<Vec<u8>, WeightsError> {
    let Shape { channels, side } = data.shape.image();
    let view = |shape: Vec<usize>, bytes| TensorView::new(Dtype::U8, shape, bytes);
    let mut views = Vec::new();
    for (part, set) in [("train", &data.train), ("test", &data.test)] {
        views.push((format!("{part}.images"), view(vec![set.len(), channels, side, side], &set.pixels)));
        views.push((format!("{part}.labels"), view(vec![set.len()], &set.labels)));
    }
    let views = views.into_iter().map(|(name, view)| Ok((name, view?))).collect::<Result<Vec<_>, _>>();
    views.and_then(|views| serialize(views, None)).map_err(|error| WeightsError::Format(error.to_string()))
}

fn from_safetensors(net: &Network, file: &[u8]) -> Result<Vec<f32>, WeightsError> {
    let tensors = SafeTensors::deserialize(file).map_err(|error| WeightsError::Format(error.to_string()))?;
    let names = tensors.names().into_iter().map(str::to_string).collect();
    let find = |name: &str| {
        let tensor = tensors.tensor(name).ok()?;
        let values = (tensor.dtype() == Dtype::F32).then(|| floats(tensor.data()).collect());
        Some(Found { kind: format!("{:?}", tensor.dtype()), shape: tensor.shape().to_vec(), values })
    };
    gather(net, names, find, Order::PyTorch)
}

fn to_burnpack(net: &Network, weights: &[f32]) -> Result<Vec<u8>, WeightsError> {
    let tensor = |(Parameter { name, shape, .. }, values): (&Parameter, &[f32])| {
        burn_pack::Tensor::new(name.clone(), DType::F32, shape.clone(), None, Bytes::from_bytes_vec(bytes(values)))
    };
    let writer = description(net)
        .into_iter()
        .fold(Writer::new(parts(net, weights).map(tensor).collect()), |writer, (key, value)| {
            writer.with_metadata(key, &value)
        });
    writer.into_bytes().map(|file| file.to_vec()).map_err(|error| WeightsError::Format(error.to_string()))
}

fn from_burnpack(net: &Network, file: &[u8]) -> Result<Vec<f32>, WeightsError> {
    let format = |error: burn_pack::Error| WeightsError::Format(error.to_string());
    let reader = Reader::from_bytes(Bytes::from_bytes_vec(file.to_vec())).map_err(format)?;
    let tensors = reader.into_tensors().map_err(format)?;
    let names = tensors.iter().map(|tensor| tensor.name.clone()).collect();
    let find = |name: &str| {
        let tensor = tensors.iter().find(|tensor| tensor.name == name)?;
        let bytes = tensor.to_bytes().ok()?;
        let values = (tensor.dtype == DType::F32).then(|| floats(&bytes).collect());
        Some(Found { kind: format!("{:?}", tensor.dtype), shape: tensor.shape.to_vec(), values })
    };
    gather(net, names, find, Order::Burn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkling_core::parameters::random_weights;
    use proptest::prelude::*;

    #[test]
    fn weights_survive_every_format_and_safetensors_has_the_layout_of_pytorch() {
        for net in
            ["conv 32, pool, conv 64, pool, dense 128, dropout 0.3", "none", "conv 3 5x5 same, avgpool, dense 7 tanh"]
        {
            let net: Network = net.parse().unwrap();
            let weights = random_weights(net.parameters(), 3);
            for format in Format::ALL {
                let file = file(format, &net, &weights).unwrap();
                if format != Format::Onnx {
                    assert_eq!(read(&net, &file).unwrap(), weights, "{format:?}");
                }
            }
        }
        let net = Network::default();
        let weights = random_weights(net.parameters(), 3);
        let file = file(Format::Safetensors, &net, &weights).unwrap();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let dense = tensors.tensor("dense2.weight").unwrap();
        assert_eq!(dense.shape(), [10, 128]);
        // Row 3, column 7 in PyTorch is row 7, column 3 in Burn.
        let at = 4 * (3 * 128 + 7);
        let first = net.count() - 10 - 1280; // of dense2.weight
        assert_eq!(dense.data()[at..at + 4], weights[first + 7 * 10 + 3].to_le_bytes());
        assert_eq!(tensors.tensor("conv2.weight").unwrap().shape(), [64, 32, 3, 3]);
    }

    #[test]
    fn a_file_of_another_network_says_which_one_it_is() {
        let here = Network::default();
        // The second has the tensors of this one, but other functions: only the name tells.
        for text in ["conv 3 5x5 same, avgpool, dense 7 tanh", "conv 32, avgpool, conv 64 gelu, pool, dense 128"] {
            let net: Network = text.parse().unwrap();
            let weights = random_weights(net.parameters(), 3);
            for format in [Format::Safetensors, Format::Burnpack] {
                let opened = open(&here, &file(format, &net, &weights).unwrap()).unwrap();
                assert_eq!(opened, (net.clone(), weights.clone()), "{text}");
            }
        }
        // A file of somebody else, without a name: LeNet-5.
        let lenet: Network =
            READY_MADE.iter().find(|ready| ready.name.contains("LeNet")).unwrap().text.parse().unwrap();
        let weights = random_weights(lenet.parameters(), 3);
        let file = to_safetensors(&lenet, &weights).unwrap();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let bare = serialize(tensors.tensors(), None).unwrap();
        assert_eq!(open(&here, &bare), Ok((lenet, weights)));
        assert!(matches!(
            open(&here, &serialize(tensors.tensors().into_iter().skip(1), None).unwrap()),
            Err(WeightsError::Mismatch(_))
        ));
    }

    #[test]
    fn a_file_describes_its_network_and_its_images() {
        let data = DataShape::new(Shape { channels: 3, side: 16 }, 2).unwrap();
        let net = "conv 6, pool, dense 16".parse::<Layers>().unwrap().fit(data).unwrap();
        let weights = random_weights(net.parameters(), 3);
        for format in [Format::Safetensors, Format::Burnpack] {
            let file = file(format, &net, &weights).unwrap();
            assert_eq!(described(&file), Some(net.clone()));
            assert!(open(&Network::default(), &file).is_err(), "it is for other images");
        }
        assert_eq!(described(b"nothing"), None);
        let other =
            [(NETWORK, "none"), (IMAGES, "1x9999x9999"), (CLASSES, "10")].map(|(key, text)| (key.into(), text.into()));
        let views: [(&str, TensorView<'_>); 0] = [];
        assert_eq!(described(&serialize(views, Some(other.into())).unwrap()), None);
    }

    #[test]
    fn every_mismatch_is_named() {
        let bias = [0u8; 40];
        let views = [
            ("conv1.bias", TensorView::new(Dtype::F32, vec![10], &bias).unwrap()),
            ("dense2.bias", TensorView::new(Dtype::F16, vec![20], &bias).unwrap()),
            ("head.bias", TensorView::new(Dtype::F16, vec![20], &bias).unwrap()),
        ];
        let net = Network::default();
        let error = read(&net, &serialize(views, None).unwrap()).unwrap_err().to_string();
        for words in [
            "conv1.weight is missing",
            "conv1.bias is F32 [10] instead of F32 [32]",
            "dense2.bias is F16 [20]",
            "head.bias is not one of its tensors",
        ] {
            assert!(error.contains(words), "{error}");
        }
        assert!(matches!(file(Format::Onnx, &net, &[0.0; 9]), Err(WeightsError::Mismatch(_))));
        let mut weights = random_weights(net.parameters(), 1);
        weights[7] = f32::NAN;
        assert_eq!(read(&net, &to_burnpack(&net, &weights).unwrap()), Err(WeightsError::NotFinite));
    }

    proptest! {
        #[test]
        fn any_bytes_give_weights_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read(&Network::default(), &bytes).is_err());
            prop_assert!(onnx::weights(&Network::default(), &bytes).is_err());
        }

        #[test]
        fn a_truncated_or_damaged_file_gives_an_error_or_weights(at in 0usize..4000, byte: u8, burnpack: bool) {
            let format = if burnpack { Format::Burnpack } else { Format::Safetensors };
            let net = Network::default();
            let mut file = file(format, &net, &random_weights(net.parameters(), 1)).unwrap();
            prop_assert!(read(&net, &file[..file.len() - 1 - at]).is_err());
            file[at] = byte;
            let _ = read(&net, &file); // must not panic or allocate without bound
        }
    }
}
