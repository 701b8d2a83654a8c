//! Writes weights as files and reads them back. In safetensors, tensors have the names and shapes that a PyTorch user
//! expects: `conv1.weight` `[32, 1, 3, 3]`, ..., `dense1.weight` `[128, 1600]` (Burn has `[in, out]`, PyTorch
//! `[out, in]`). In burnpack, they have Burn's shapes.

use burn_pack::{Bytes, DType, Reader, Writer};
use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};

pub use crate::tensors::WeightsError;
use crate::{
    onnx, svg,
    tensors::{Found, Order, bytes, floats, gather, parts, transposed},
};
use inkling_core::{
    checkpoint::TrainerState,
    parameters::PARAMETERS,
    protocol::{FileEvent, FileTask, Format},
};

/// Performs a task that the page gives the file worker. If the task fails, the answer is a sentence for the visitor.
pub fn perform(task: &FileTask) -> FileEvent {
    let done = match task {
        FileTask::Write { format, weights } => file(*format, &weights.values())
            .map(|bytes| FileEvent::Written { format: *format, step: weights.step, bytes })
            .map_err(|error| format!("The weights could not be saved: {error}.")),
        FileTask::Draw { name, drawing, scheme } => {
            Ok(FileEvent::Drawn { name: name.clone(), svg: svg::draw(drawing, *scheme) })
        }
        FileTask::Read { file } => read(file)
            .map(|weights| FileEvent::Opened { weights: TrainerState::new(0, &weights) })
            .map_err(|error| format!("The file was not opened: {error}.")),
    };
    done.unwrap_or_else(FileEvent::Failed)
}

/// Encodes a network's weights as a file: [`PARAMETERS`] numbers in the order of [`inkling_core::parameters::SHAPES`].
/// The file is read back and compared before it is returned.
///
/// # Errors
/// [`WeightsError`] if the number of weights is wrong or the file does not read back unchanged.
pub fn file(format: Format, weights: &[f32]) -> Result<Vec<u8>, WeightsError> {
    if weights.len() != PARAMETERS {
        return Err(WeightsError::Mismatch(vec![format!("{} numbers instead of {PARAMETERS}", weights.len())]));
    }
    let (file, again) = match format {
        Format::Safetensors => read_again(to_safetensors(weights)?, from_safetensors)?,
        Format::Burnpack => read_again(to_burnpack(weights)?, from_burnpack)?,
        Format::Onnx => read_again(onnx::model(weights), onnx::weights)?,
    };
    let same = again.iter().zip(weights).all(|(a, b)| a.to_bits() == b.to_bits());
    if same { Ok(file) } else { Err(WeightsError::Mismatch(vec!["the file does not read back unchanged".into()])) }
}

type Read = fn(&[u8]) -> Result<Vec<f32>, WeightsError>;

fn read_again(file: Vec<u8>, read: Read) -> Result<(Vec<u8>, Vec<f32>), WeightsError> {
    let again = read(&file)?;
    Ok((file, again))
}

/// The weights in a safetensors or burnpack file, in the order of [`inkling_core::parameters::SHAPES`].
///
/// # Errors
/// [`WeightsError`], which names every tensor that is missing or different.
pub fn read(file: &[u8]) -> Result<Vec<f32>, WeightsError> {
    let burnpack = burn_pack::Header::from_bytes(file).is_ok();
    let weights = if burnpack { from_burnpack(file) } else { from_safetensors(file) }?;
    if weights.iter().all(|weight| weight.is_finite()) { Ok(weights) } else { Err(WeightsError::NotFinite) }
}

fn to_safetensors(weights: &[f32]) -> Result<Vec<u8>, WeightsError> {
    let format = |error: safetensors::SafeTensorError| WeightsError::Format(error.to_string());
    let tensors: Vec<_> = parts(weights)
        .map(|(name, shape, values)| {
            let there = Order::PyTorch.shape(name, shape);
            let values = if there == shape { values.to_vec() } else { transposed(values, [shape[0], shape[1]]) };
            (name, there, bytes(&values))
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

fn from_safetensors(file: &[u8]) -> Result<Vec<f32>, WeightsError> {
    let tensors = SafeTensors::deserialize(file).map_err(|error| WeightsError::Format(error.to_string()))?;
    let names = tensors.names().into_iter().map(str::to_string).collect();
    let find = |name: &str| {
        let tensor = tensors.tensor(name).ok()?;
        let values = (tensor.dtype() == Dtype::F32).then(|| floats(tensor.data()).collect());
        Some(Found { kind: format!("{:?}", tensor.dtype()), shape: tensor.shape().to_vec(), values })
    };
    gather(names, find, Order::PyTorch)
}

fn to_burnpack(weights: &[f32]) -> Result<Vec<u8>, WeightsError> {
    let tensor = |(name, shape, values): (&str, &[usize], &[f32])| {
        burn_pack::Tensor::new(name.into(), DType::F32, shape.to_vec(), None, Bytes::from_bytes_vec(bytes(values)))
    };
    let file = Writer::new(parts(weights).map(tensor).collect()).into_bytes();
    file.map(|file| file.to_vec()).map_err(|error| WeightsError::Format(error.to_string()))
}

fn from_burnpack(file: &[u8]) -> Result<Vec<f32>, WeightsError> {
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
    gather(names, find, Order::Burn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkling_core::parameters::Weights;
    use proptest::prelude::*;

    #[test]
    fn weights_survive_every_format_and_safetensors_has_the_layout_of_pytorch() {
        let weights = Weights::random(3).0;
        for format in Format::ALL {
            let file = file(format, &weights.concat()).unwrap();
            if format != Format::Onnx {
                assert_eq!(read(&file).unwrap(), weights.concat(), "{format:?}");
            }
        }
        let file = file(Format::Safetensors, &weights.concat()).unwrap();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let dense = tensors.tensor("dense2.weight").unwrap();
        assert_eq!(dense.shape(), [10, 128]);
        // Row 3, column 7 in PyTorch is row 7, column 3 in Burn.
        let at = 4 * (3 * 128 + 7);
        assert_eq!(dense.data()[at..at + 4], weights[6][7 * 10 + 3].to_le_bytes());
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
        let error = read(&serialize(views, None).unwrap()).unwrap_err().to_string();
        for words in [
            "conv1.weight is missing",
            "conv1.bias is F32 [10] instead of F32 [32]",
            "dense2.bias is F16 [20]",
            "head.bias is not one of its tensors",
        ] {
            assert!(error.contains(words), "{error}");
        }
        assert!(matches!(file(Format::Onnx, &[0.0; 9]), Err(WeightsError::Mismatch(_))));
        let mut weights = Weights::random(1).0.concat();
        weights[7] = f32::NAN;
        assert_eq!(read(&to_burnpack(&weights).unwrap()), Err(WeightsError::NotFinite));
    }

    proptest! {
        #[test]
        fn any_bytes_give_weights_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read(&bytes).is_err());
            prop_assert!(onnx::weights(&bytes).is_err());
        }

        #[test]
        fn a_truncated_or_damaged_file_gives_an_error_or_weights(at in 0usize..4000, byte: u8, burnpack: bool) {
            let format = if burnpack { Format::Burnpack } else { Format::Safetensors };
            let mut file = file(format, &Weights::random(1).0.concat()).unwrap();
            prop_assert!(read(&file[..file.len() - 1 - at]).is_err());
            file[at] = byte;
            let _ = read(&file); // must not panic or allocate without bound
        }
    }
}
