//! Weights as safetensors, with the names and shapes that a PyTorch user expects: `conv1.weight` `[32, 1, 3, 3]`, ...,
//! `dense1.weight` `[128, 1600]` (Burn has `[in, out]`, PyTorch `[out, in]`).

use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};
use thiserror::Error;

use crate::model::{PARAMETERS, SHAPES};

/// Why weights could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WeightsError {
    /// The format says no.
    #[error("this is no safetensors file: {0}")]
    Format(String),
    /// Tensors that are missing, or are not what this network has: all of them.
    #[error("these are not this network's weights: {}", .0.join("; "))]
    Mismatch(Vec<String>),
}

/// A dense layer's weights, which lie transposed in PyTorch.
fn is_dense(name: &str) -> bool {
    name.starts_with("dense") && name.ends_with(".weight")
}

/// Rows `[a, b]` as rows `[b, a]`.
fn transposed(values: &[f32], [a, b]: [usize; 2]) -> Vec<f32> {
    (0..b).flat_map(|column| (0..a).map(move |row| values[row * b + column])).collect()
}

/// A parameter's shape in PyTorch.
fn shape_there(name: &str, shape: &[usize]) -> Vec<usize> {
    let mut shape = shape.to_vec();
    if is_dense(name) {
        shape.reverse();
    }
    shape
}

/// The file of a network's weights: [`PARAMETERS`] numbers in the order of [`SHAPES`]. It is read again and compared
/// before it is handed out.
///
/// # Errors
/// [`WeightsError`] if it does not hold what it should.
pub fn to_safetensors(weights: &[f32]) -> Result<Vec<u8>, WeightsError> {
    let format = |error: safetensors::SafeTensorError| WeightsError::Format(error.to_string());
    let mut rest = weights;
    let mut tensors = Vec::new();
    for (name, shape, _) in SHAPES {
        let Some((values, more)) = rest.split_at_checked(shape.iter().product()) else {
            return Err(WeightsError::Mismatch(vec![format!("{} numbers instead of {PARAMETERS}", weights.len())]));
        };
        rest = more;
        let values = if is_dense(name) { transposed(values, [shape[0], shape[1]]) } else { values.to_vec() };
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        tensors.push((name, shape_there(name, shape), bytes));
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(format)?;
    let metadata = [("format", "pt"), ("made_by", concat!("Inkling ", env!("CARGO_PKG_VERSION")))];
    let metadata = metadata.map(|(key, value)| (key.to_string(), value.to_string())).into();
    let file = serialize(views, Some(metadata)).map_err(format)?;
    let again = from_safetensors(&file)?;
    let same = again.len() == weights.len() && again.iter().zip(weights).all(|(a, b)| a.to_bits() == b.to_bits());
    if same { Ok(file) } else { Err(WeightsError::Mismatch(vec!["the file does not read as it was written".into()])) }
}

/// The weights in a file, in the order of [`SHAPES`].
///
/// # Errors
/// [`WeightsError`] names every tensor that is missing or different.
pub fn from_safetensors(file: &[u8]) -> Result<Vec<f32>, WeightsError> {
    let tensors = SafeTensors::deserialize(file).map_err(|error| WeightsError::Format(error.to_string()))?;
    let (mut weights, mut wrong) = (Vec::with_capacity(PARAMETERS), Vec::new());
    for (name, shape, _) in SHAPES {
        let wanted = shape_there(name, shape);
        match tensors.tensor(name) {
            Err(_) => wrong.push(format!("{name} is missing")),
            Ok(found) if found.dtype() != Dtype::F32 || found.shape() != wanted => {
                wrong.push(format!("{name} is {:?} {:?} instead of F32 {wanted:?}", found.dtype(), found.shape()));
            }
            Ok(found) => {
                let (floats, _) = found.data().as_chunks();
                let values: Vec<f32> = floats.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
                weights.extend(if is_dense(name) { transposed(&values, [wanted[0], wanted[1]]) } else { values });
            }
        }
    }
    if wrong.is_empty() { Ok(weights) } else { Err(WeightsError::Mismatch(wrong)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Weights;
    use proptest::prelude::*;

    #[test]
    fn weights_survive_and_lie_as_in_pytorch() {
        let weights = Weights::random(3).0;
        let file = to_safetensors(&weights.concat()).unwrap();
        assert_eq!(from_safetensors(&file).unwrap(), weights.concat());
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let dense = tensors.tensor("dense2.weight").unwrap();
        assert_eq!(dense.shape(), [10, 128]);
        // Row 3, column 7 there is row 7, column 3 here.
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
        ];
        let error = from_safetensors(&serialize(views, None).unwrap()).unwrap_err().to_string();
        for words in
            ["conv1.weight is missing", "conv1.bias is F32 [10] instead of F32 [32]", "dense2.bias is F16 [20]"]
        {
            assert!(error.contains(words), "{error}");
        }
        assert!(matches!(to_safetensors(&[0.0; 9]), Err(WeightsError::Mismatch(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_give_weights_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(from_safetensors(&bytes).is_err());
        }
    }
}
