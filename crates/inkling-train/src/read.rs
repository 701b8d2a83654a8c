//! Reads results from the device asynchronously, because a browser forbids blocking on a GPU.

use burn::tensor::{Device, Tensor};
use thiserror::Error;

/// Why a result could not be read from the device.
#[derive(Clone, Debug, Error)]
#[error("the {0} could not be read from the device: {1}")]
pub struct ReadError(&'static str, String);

impl ReadError {
    /// A device reports a chain of causes and a backtrace; the last cause is the informative one.
    pub(crate) fn new(what: &'static str, error: impl ToString) -> Self {
        let words = error.to_string();
        let causes = words.split("\nBacktrace").next().unwrap_or_default().split("Caused by:");
        ReadError(what, causes.last().unwrap_or_default().trim().to_string())
    }
}

/// Reads all values of `tensors`, concatenated, in one transfer.
///
/// # Errors
/// [`ReadError`] if the device is lost or out of memory.
pub async fn read_flat(what: &'static str, tensors: Vec<Tensor<1>>) -> Result<Vec<f32>, ReadError> {
    read(what, Tensor::cat(tensors, 0)).await
}

pub(crate) async fn read<const D: usize>(what: &'static str, tensor: Tensor<D>) -> Result<Vec<f32>, ReadError> {
    let data = tensor.into_data_async().await.map_err(|error| ReadError::new(what, error))?;
    data.try_into_vec().map_err(|error| ReadError::new(what, format!("{error:?}")))
}

/// Mean loss and accuracy of one training batch, still on the device.
pub struct StepMetrics(pub(crate) Tensor<1>);

impl StepMetrics {
    /// Metrics from values that are already on the host.
    pub fn known(loss: f32, accuracy: f32, device: &Device) -> Self {
        StepMetrics(Tensor::from_floats([loss, accuracy], &device.clone().inner()))
    }
}

/// Reads loss and accuracy of several steps in one transfer.
///
/// # Errors
/// [`ReadError`] if the device is lost or out of memory.
pub async fn read_metrics(steps: Vec<StepMetrics>) -> Result<Vec<[f64; 2]>, ReadError> {
    let values = read("loss", Tensor::cat(steps.into_iter().map(|step| step.0).collect(), 0)).await?;
    Ok(values.chunks_exact(2).map(|pair| [f64::from(pair[0]), f64::from(pair[1])]).collect())
}
