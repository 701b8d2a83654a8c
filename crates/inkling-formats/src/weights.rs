//! Writes weights as files and reads them back. In safetensors, tensors have the names and shapes that a PyTorch user
//! expects: `conv1.weight` `[32, 1, 3, 3]`, ..., `dense1.weight` `[128, 1600]` (Burn has `[in, out]`, PyTorch
//! `[out, in]`). In burnpack, they have Burn's shapes.

use burn_pack::{Bytes, DType, Reader, Writer};
use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};

pub use crate::tensors::WeightsError;
use crate::{
    onnx,
    tensors::{Found, Order, bytes, floats, gather, parts, transposed},
};
use inkling_core::{network::Network, parameters::Parameter, protocol::Format};

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
    let metadata = [("format", "pt"), ("made_by", concat!("Inkling ", env!("CARGO_PKG_VERSION")))];
    let metadata = metadata.map(|(key, value)| (key.to_string(), value.to_string())).into();
    serialize(views, Some(metadata)).map_err(format)
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
    let file = Writer::new(parts(net, weights).map(tensor).collect()).into_bytes();
    file.map(|file| file.to_vec()).map_err(|error| WeightsError::Format(error.to_string()))
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
