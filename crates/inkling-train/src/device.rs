//! Beside `optimizer.rs`, the only file in this crate that names a backend: it opens it, tests it, and says why one can't be used.

#[cfg(any(feature = "cuda", all(feature = "devices", feature = "webgpu")))]
use burn::tensor::DeviceType;
use burn::tensor::{Device, Tensor, TensorData, Transaction};
use thiserror::Error;

use crate::{
    feed::Feed,
    model::Model,
    pass,
    resident::{self, Resident, ResidentSets},
};
#[cfg(feature = "remote")]
use inkling_core::remote::ServerLink;
use inkling_core::{
    augment::Augmentation,
    checkpoint::Rounding,
    data::{Batch, Dataset, synthetic},
    network::Network,
    parameters::random_weights,
    protocol::{BackendInfo, BackendName},
    settings::Kernels,
};
use inkling_kernels::lanes::{round_once, rounds_once};

/// A backend that this build can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// burn-flex.
    Cpu,
    /// burn-ndarray.
    #[cfg(feature = "ndarray")]
    Ndarray,
    /// burn-wgpu on the browser's WebGPU (natively on Vulkan or Metal).
    #[cfg(feature = "webgpu")]
    Webgpu,
    /// A server's device.
    #[cfg(feature = "remote")]
    Remote(ServerLink),
    /// burn-cuda on the first NVIDIA GPU.
    #[cfg(feature = "cuda")]
    Cuda,
}

/// An open backend.
#[derive(Clone, Debug)]
pub struct Backend {
    /// The device that tensors live on, without autodiff.
    pub device: Device,
    /// A description for the page, which adds the reason for choosing this backend.
    pub info: BackendInfo,
    /// Whether this is the CPU after all, as an adapter: slower than burn-flex. A browser does not say so here.
    pub software: bool,
}

/// Why a backend can't be used. The page shows the message to the visitor.
#[derive(Clone, Debug, Error)]
pub enum DeviceError {
    /// There is no adapter, or the adapter provides no device.
    #[error("no WebGPU device was provided ({0})")]
    NoDevice(String),
    /// CUDA lists no device.
    #[error("no NVIDIA GPU was found: this machine has none, or its driver does not work")]
    NoCuda,
    /// Burn's runtime ended in a panic, whose message is in the log.
    #[error("its driver failed")]
    Crashed,
    /// Burn's runtime measures time with timestamps and can't run without them.
    #[error("the WebGPU adapter {0} lacks the feature timestamp-query")]
    NoTimestamps(String),
    /// There are fewer devices than were asked for.
    #[error("{wanted} devices were asked for, and this machine has {found}")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many were asked for.
        wanted: usize,
    },
    /// The server does not let this client in, or can't be reached.
    #[error("{host} can't be used: {reason}")]
    NoServer {
        /// The relay's host.
        host: String,
        /// Why.
        reason: String,
    },
    /// The results of the self-test differ from burn-flex's.
    #[error(
        "{adapter} computes incorrectly: \
         the largest error in {what} is {difference:.1e} of the CPU's largest value"
    )]
    WrongResult {
        /// The adapter, or the server.
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
    /// Whether the backend exists but does not work.
    pub fn is_fault(&self) -> bool {
        matches!(self, DeviceError::WrongResult { .. } | DeviceError::Unreadable(_))
    }
}

impl Backend {
    /// Opens the backend. [`Backend::self_test`] checks whether it works.
    ///
    /// # Errors
    /// A [`DeviceError`] that the page shows as the reason for its fallback.
    pub async fn open(kind: BackendKind) -> Result<Self, DeviceError> {
        match kind {
            BackendKind::Cpu => {
                let engine = if rounds_once() { "burn-flex, SIMD, FMA" } else { "burn-flex, SIMD" };
                Ok(Backend::new(Device::flex(), BackendName::Cpu, engine))
            }
            #[cfg(feature = "ndarray")]
            BackendKind::Ndarray => Ok(Backend::new(ndarray(), BackendName::Ndarray, "burn-ndarray, one thread")),
            #[cfg(feature = "webgpu")]
            BackendKind::Webgpu => {
                #[cfg(target_arch = "wasm32")]
                run_constructors();
                let (device, setup) = Device::wgpu_options()
                    .init_with_setup_async()
                    .await
                    .map_err(|error| DeviceError::NoDevice(error.to_string()))?;
                let info = setup.adapter.get_info();
                let adapter = adapter_name(&info);
                // Streams are created lazily: without this feature the first tensor operation would trap.
                if !setup.device.features().contains(burn::tensor::wgpu::wgpu::Features::TIMESTAMP_QUERY) {
                    return Err(DeviceError::NoTimestamps(adapter));
                }
                let software = info.device_type == burn::tensor::wgpu::wgpu::DeviceType::Cpu;
                Ok(Backend { software, ..Backend::new(device, BackendName::Webgpu, &adapter) })
            }
            #[cfg(feature = "remote")]
            BackendKind::Remote(link) => {
                let device = connect(&link)
                    .await
                    .map_err(|reason| DeviceError::NoServer { host: link.host().into(), reason })?;
                Ok(Backend::new(device, BackendName::Remote, link.host()))
            }
            #[cfg(feature = "cuda")]
            BackendKind::Cuda => {
                let device = all(DeviceType::Cuda).into_iter().next().ok_or(DeviceError::NoCuda)?;
                let adapter = device.identity().map_or_else(|| "(unnamed)".into(), |identity| identity.name);
                Ok(Backend::new(device, BackendName::Cuda, &adapter))
            }
        }
    }

    fn new(device: Device, name: BackendName, adapter: &str) -> Self {
        let info = BackendInfo { name: Some(name), adapter: adapter.into(), reason: String::new(), check: None };
        Backend { device, info, software: false }
    }

    /// `count` devices of this backend's kind, the first of which becomes the backend's own. The CPU stands for as many as are asked for: each is a
    /// thread.
    ///
    /// # Errors
    /// [`DeviceError::TooFew`].
    #[cfg(feature = "devices")]
    pub fn several(mut self, count: usize) -> Result<(Self, crate::devices::Devices), DeviceError> {
        let all: Vec<Device> = match self.info.name {
            #[cfg(feature = "cuda")]
            Some(BackendName::Cuda) => all(DeviceType::Cuda),
            #[cfg(feature = "webgpu")]
            Some(BackendName::Webgpu) => all(DeviceType::Wgpu),
            _ => vec![self.device.clone(); count],
        };
        let found = all.len();
        let chosen: Vec<Device> = all.into_iter().take(count).collect();
        match (chosen.first().cloned(), crate::devices::Devices::new(chosen)) {
            (Some(first), Some(devices)) if found >= count => {
                self.device = first;
                Ok((self, devices))
            }
            _ => Err(DeviceError::TooFew { found, wanted: count }),
        }
    }

    /// Whether this is a GPU or a server. Both have their own memory, and their results may be wrong through no fault of the run.
    pub fn is_apart(&self) -> bool {
        self.info.name.is_some_and(BackendName::is_apart)
    }

    /// How the CPU's kernels round; `None` on every other backend.
    pub fn rounding(&self) -> Option<Rounding> {
        let own = if rounds_once() { Rounding::Once } else { Rounding::Twice };
        (self.info.name == Some(BackendName::Cpu)).then_some(own)
    }

    /// Copies the images to a device that is apart, if they fit; empty on other backends.
    pub fn resident(&self, data: &Dataset) -> ResidentSets {
        let copy =
            |images| (resident::POSSIBLE && self.is_apart()).then(|| Resident::new(images, &self.device)).flatten();
        ResidentSets { train: copy(&data.train), test: copy(&data.test) }
    }

    /// Runs the same pass of `net`, a network for digits, over a few augmented digits, with the same weights, on this device and on burn-flex: the
    /// images, the logits, the loss and every gradient must agree within [`TOLERANCE`]. Returns the largest difference,
    /// relative to the largest value of its tensor, and the name of that tensor.
    ///
    /// # Errors
    /// [`DeviceError::WrongResult`] names the first tensor that differs.
    pub async fn self_test(&self, net: &Network) -> Result<(f32, String), DeviceError> {
        let expected = training_pass(net, &Device::flex(), false).await?;
        let found = training_pass(net, &self.device, true).await?;
        let names = ["images", "logits", "loss"]
            .into_iter()
            .chain(net.parameters().iter().map(|parameter| parameter.name.as_str()));
        let mut largest = (0.0f32, String::from("nothing"));
        for ((expected, found), what) in expected.iter().zip(&found).zip(names) {
            let scale = expected.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
            // `f32::max` ignores a NaN, so `readable` checks for values that are not finite.
            let worst = expected.iter().zip(found).map(|(e, f)| (e - f).abs() / scale).fold(0.0, f32::max);
            let readable = found.len() == expected.len() && found.iter().all(|v| v.is_finite());
            if !readable || worst > TOLERANCE {
                let adapter = match self.info.name {
                    Some(BackendName::Webgpu) => format!("the WebGPU adapter {}", self.info.adapter),
                    _ => self.info.adapter.clone(),
                };
                let difference = if readable { worst } else { f32::NAN };
                return Err(DeviceError::WrongResult { adapter, what: what.into(), difference });
            }
            if worst > largest.0 {
                largest = (worst, what.into());
            }
        }
        Ok(largest)
    }
}

/// All devices of this type.
#[cfg(any(feature = "cuda", all(feature = "devices", feature = "webgpu")))]
fn all(of: DeviceType) -> Vec<Device> {
    Device::enumerate(of).into_iter().collect()
}

/// Lets the CPU's kernels round as `rounding` says, in the whole process, if the processor can ([`round_once`]). Call it before a backend is
/// opened.
pub fn round(rounding: Rounding) {
    round_once(rounding == Rounding::Once);
}

/// Largest accepted difference between a tensor and burn-flex's, relative to the tensor's largest value.
/// Single-precision sums of 1,600 products in a different order differ by a few 1e-6 (measured on Chromium's software
/// adapter); a wrong kernel's results differ by 1e-1.
pub const TOLERANCE: f32 = 1e-3;

/// Images, logits, loss and every gradient of a pass over three augmented synthetic digits. If `resident`, the digits
/// are on the device and padded to a batch of four; otherwise the batch is assembled on the host.
async fn training_pass(net: &Network, device: &Device, resident: bool) -> Result<Vec<Vec<f32>>, DeviceError> {
    const NUMBERS: [u32; 3] = [0, 5, 7];
    const RANGES: Augmentation = Augmentation { rotation: 10.0, shift_x: 0.1, shift_y: 0.1, zoom: 0.1 };
    let digits = synthetic::digits(12, 1).train;
    let outer = device.clone().autodiff();
    let model = Model::new(net, random_weights(net.parameters(), 1), Kernels::Fused, &outer);
    let feed = match Resident::new(&digits, device) {
        Some(set) if resident => {
            let maps = RANGES.maps(digits.shape.side, &NUMBERS, 1, 1);
            Feed::resident(&set, &NUMBERS, Some(maps), NUMBERS.len() + 1, &outer)
        }
        _ => Feed::upload(Batch::augmented(&digits.pick(&NUMBERS), &RANGES, 1, 1), &outer),
    };
    let (loss, images, logits) = pass::loss(&model, feed);
    let gradients = loss.backward();
    let first = |tensor: Tensor<2>| tensor.slice(0..NUMBERS.len()).flatten::<1>(0, 1);
    let mut tensors = vec![first(images.inner().flatten(1, 3)), first(logits.inner()), loss.inner()];
    tensors.extend(model.gradients(gradients));
    read_all(tensors).await
}

/// Reads all tensors in one transfer.
async fn read_all(tensors: Vec<Tensor<1>>) -> Result<Vec<Vec<f32>>, DeviceError> {
    let transaction = tensors.into_iter().fold(Transaction::default(), Transaction::register);
    let data = transaction.execute_async().await.map_err(|error| DeviceError::Unreadable(error.to_string()))?;
    let floats = |data: TensorData| data.try_into_vec().map_err(|error| DeviceError::Unreadable(format!("{error:?}")));
    data.into_iter().map(floats).collect()
}

/// Opens a session on the first device of a server.
#[cfg(feature = "remote")]
async fn connect(link: &ServerLink) -> Result<Device, String> {
    use burn::remote::{ConnectError, EndpointId, IrohHost, IrohRelays, RemoteHost};
    let id: EndpointId = link.id().parse().map_err(|_| "its link is damaged".to_string())?;
    let url = link.way_in().parse().map_err(|_| "its link is damaged".to_string())?;
    let host = IrohHost::new(id).with_relays(IrohRelays::Private { url });
    let host = RemoteHost::iroh(host).with_credential(link.token());
    Device::remote_options(&host).init_async().await.map_err(|error| match error {
        ConnectError::Unauthorized => "its link is no longer valid; open the one that it prints now".into(),
        ConnectError::IncompatibleProtocol { .. } => "it is of another version".into(),
        other => other.to_string(),
    })
}

/// CubeCL registers its operations in static constructors. If a module does not call them itself, the linker makes
/// every call into the module run all of them, even a call that passes a JavaScript object: 90 % of a step's time on
/// the worker's thread, by Chromium's profiler.
#[cfg(all(feature = "webgpu", target_arch = "wasm32"))]
fn run_constructors() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    unsafe extern "C" {
        fn __wasm_call_ctors();
    }
    // SAFETY: the linker defines the function. It runs once, before anything that it initializes is used.
    ONCE.call_once(|| unsafe { __wasm_call_ctors() });
}

/// burn-ndarray is deprecated upstream; here it is a test oracle and a backend to compare with.
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
    if parts.is_empty() { "(unnamed)".into() } else { parts.join(", ") }
}
