//! The only file that names a backend: open it, test it, and say why not.

use burn::tensor::{Device, Tensor, TensorData, Transaction};
use thiserror::Error;

use crate::{
    augment::Augmentation,
    data::{Batch, Labelled, synthetic},
    kernels::Kernels,
    model::Cnn,
    parameters::{SHAPES, Weights},
    protocol::BackendInfo,
    resident::{self, Resident},
    train::Feed,
};

/// A backend that this build may compute with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// burn-flex.
    Cpu,
    /// burn-ndarray.
    #[cfg(feature = "ndarray")]
    Ndarray,
    /// burn-wgpu on the browser's WebGPU (natively on Vulkan or Metal).
    #[cfg(feature = "webgpu")]
    Webgpu {
        /// Whether runs of operations become one kernel each: faster, and one more thing to go wrong.
        fusion: bool,
    },
}

/// A backend that is there.
#[derive(Clone, Debug)]
pub struct Backend {
    /// The device that tensors live on, without autodiff.
    pub device: Device,
    /// What it is, for the page. The reason for choosing it is the page's to add.
    pub info: BackendInfo,
}

/// Why a backend can't be used, in words for the visitor.
#[derive(Clone, Debug, Error)]
pub enum DeviceError {
    /// No adapter, or no device on it.
    #[error("the browser gave no WebGPU device ({0})")]
    NoDevice(String),
    /// Burn's runtime measures with timestamps and stops without them.
    #[error("the WebGPU adapter {0} lacks the feature timestamp-query")]
    NoTimestamps(String),
    /// The results of the self-test differ from burn-flex's.
    #[error(
        "the WebGPU adapter {adapter} computes wrongly: {what} differs from the CPU's by {difference:.1e} of its largest value"
    )]
    WrongResult {
        /// The adapter.
        adapter: String,
        /// Which result.
        what: String,
        /// Largest difference, relative to the largest value.
        difference: f32,
    },
    /// The results of the self-test could not be read.
    #[error("the self-test's results could not be read from the device: {0}")]
    Unreadable(String),
}

impl DeviceError {
    /// Whether the backend is there but does not work.
    pub fn is_fault(&self) -> bool {
        matches!(self, DeviceError::WrongResult { .. } | DeviceError::Unreadable(_))
    }
}

impl Backend {
    /// Opens the backend. [`Backend::self_test`] tells whether it works.
    ///
    /// # Errors
    /// A [`DeviceError`] that the page shows as the reason for its fallback.
    pub async fn open(kind: BackendKind) -> Result<Self, DeviceError> {
        match kind {
            BackendKind::Cpu => Ok(Backend::new(Device::flex(), "cpu", "burn-flex, SIMD")),
            #[cfg(feature = "ndarray")]
            BackendKind::Ndarray => Ok(Backend::new(ndarray(), "ndarray", "burn-ndarray, one thread")),
            #[cfg(feature = "webgpu")]
            BackendKind::Webgpu { fusion } => {
                #[cfg(target_arch = "wasm32")]
                run_constructors();
                if !fusion {
                    stop_fusion();
                }
                let (device, setup) = Device::wgpu_options()
                    .init_with_setup_async()
                    .await
                    .map_err(|error| DeviceError::NoDevice(error.to_string()))?;
                let adapter = adapter_name(&setup.adapter.get_info());
                // Streams are made lazily: without this feature the first tensor operation would trap.
                if !setup.device.features().contains(burn::tensor::wgpu::wgpu::Features::TIMESTAMP_QUERY) {
                    return Err(DeviceError::NoTimestamps(adapter));
                }
                Ok(Backend::new(device, "webgpu", &adapter))
            }
        }
    }

    fn new(device: Device, name: &str, adapter: &str) -> Self {
        let info = BackendInfo { name: name.into(), adapter: adapter.into(), reason: String::new(), check: None };
        Backend { device, info }
    }

    /// Whether it is a GPU: it has a memory of its own, and what it computes may be wrong for a reason that is not the run's.
    pub fn is_gpu(&self) -> bool {
        self.info.name == "webgpu"
    }

    /// A copy of `images` on a GPU with room for them.
    pub fn resident(&self, images: &Labelled) -> Option<Resident> {
        (resident::POSSIBLE && self.is_gpu()).then(|| Resident::new(images, &self.device)).flatten()
    }

    /// Augments and trains on a few digits from the same weights on this device and on burn-flex: the images, the logits, the
    /// loss and every gradient must agree within [`TOLERANCE`]. Returns the largest difference, relative to the largest
    /// value of its tensor, and what differs so.
    ///
    /// # Errors
    /// [`DeviceError::WrongResult`] names the first tensor that differs.
    pub async fn self_test(&self) -> Result<(f32, &'static str), DeviceError> {
        let expected = training_pass(&Device::flex(), false).await?;
        let found = training_pass(&self.device, true).await?;
        let names = ["images", "logits", "loss"].into_iter().chain(SHAPES.iter().map(|shape| shape.0));
        let mut largest = (0.0f32, "nothing");
        for ((expected, found), what) in expected.iter().zip(&found).zip(names) {
            let scale = expected.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
            // `max` would swallow a NaN; this comparison does not let one through.
            let worst = expected.iter().zip(found).map(|(e, f)| (e - f).abs() / scale).fold(0.0, f32::max);
            let readable = found.len() == expected.len() && found.iter().all(|v| v.is_finite());
            if !readable || worst > TOLERANCE {
                let adapter = self.info.adapter.clone();
                let difference = if readable { worst } else { f32::NAN };
                return Err(DeviceError::WrongResult { adapter, what: what.into(), difference });
            }
            if worst > largest.0 {
                largest = (worst, what);
            }
        }
        Ok(largest)
    }
}

/// Largest difference of a tensor from burn-flex's, relative to the tensor's largest value. Single-precision sums of
/// 1,600 products in another order differ by a few 1e-6 (measured on Chromium's software adapter); a wrong kernel by 1e-1.
pub const TOLERANCE: f32 = 1e-3;

/// Images, logits, loss and every gradient for three synthetic digits that are augmented, `resident` on the device and in a
/// batch of four, or assembled here.
async fn training_pass(device: &Device, resident: bool) -> Result<Vec<Vec<f32>>, DeviceError> {
    const NUMBERS: [u32; 3] = [0, 5, 7];
    const RANGES: Augmentation = Augmentation { rotation: 10.0, shift_x: 0.1, shift_y: 0.1, zoom: 0.1 };
    let digits = synthetic::generate(12, 1).train;
    let outer = device.clone().autodiff();
    let model = Cnn::new(Weights::random(1), Kernels::Fused, &outer);
    let feed = match Resident::new(&digits, device) {
        Some(set) if resident => {
            let maps = RANGES.maps(&NUMBERS, 1, 1);
            Feed::resident(&set, &NUMBERS, Some(maps), NUMBERS.len() + 1, &outer)
        }
        _ => Feed::upload(Batch::augmented(&digits.pick(&NUMBERS), &RANGES, 1, 1), &outer),
    };
    let (loss, images, logits) = feed.loss(&model);
    let gradients = loss.backward();
    let first = |tensor: Tensor<2>| tensor.slice(0..NUMBERS.len()).flatten::<1>(0, 1);
    let mut tensors = vec![first(images.inner().flatten(1, 3)), first(logits.inner()), loss.inner()];
    tensors.extend(model.gradients(&gradients));
    read_all(tensors).await
}

/// All tensors in one read.
async fn read_all(tensors: Vec<Tensor<1>>) -> Result<Vec<Vec<f32>>, DeviceError> {
    let transaction = tensors.into_iter().fold(Transaction::default(), Transaction::register);
    let data = transaction.execute_async().await.map_err(|error| DeviceError::Unreadable(error.to_string()))?;
    let floats = |data: TensorData| data.try_into_vec().map_err(|error| DeviceError::Unreadable(format!("{error:?}")));
    data.into_iter().map(floats).collect()
}

/// CubeCL registers its operations in static constructors. A module that does not call them by itself is linked so that every
/// call into it runs all of them, each JavaScript object that is passed included: 90 % of a step's time on the worker's
/// thread, by Chromium's profiler.
#[cfg(all(feature = "webgpu", target_arch = "wasm32"))]
fn run_constructors() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    unsafe extern "C" {
        fn __wasm_call_ctors();
    }
    // SAFETY: the linker defines it; it runs once, and nothing that it prepares has been used yet.
    ONCE.call_once(|| unsafe { __wasm_call_ctors() });
}

/// For the whole program, before the first tensor: Burn's configuration is read once. Its fields can be set only by
/// deserialising; with no explorations every operation runs by itself.
#[cfg(feature = "webgpu")]
fn stop_fusion() {
    use cubecl_environment::config::RuntimeConfig;
    let explorations = serde_json::json!({ "fusion": { "beam_search": { "max_explorations": 0 } } });
    if let Ok(config) = serde_json::from_value(explorations) {
        burn::BurnConfig::try_set(config);
    }
}

/// burn-ndarray is deprecated upstream; here it is an oracle and a choice for comparison.
#[cfg(feature = "ndarray")]
#[allow(deprecated)]
fn ndarray() -> Device {
    Device::ndarray()
}

#[cfg(feature = "webgpu")]
fn adapter_name(info: &burn::tensor::wgpu::wgpu::AdapterInfo) -> String {
    let parts: Vec<&str> = [info.name.as_str(), info.driver.as_str(), info.driver_info.as_str()]
        .into_iter()
        .filter(|s| !s.is_empty())
        .collect();
    if parts.is_empty() { "of unknown make".into() } else { parts.join(", ") }
}
