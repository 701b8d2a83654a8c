//! Whether a run can continue bit for bit.
//!
//! Inkling's own kernels give the same bits in a browser and here; they take exponentials and sines from `libm`, and sums in order. Burn's own
//! operations take sums in the order of the processor's registers, and exponentials from the system.

use inkling_core::{
    checkpoint::{Checkpoint, Rounding},
    network::{Activation, Layer, Network},
    settings::{Kernels, Settings},
};

/// Why the run would not continue bit for bit on kernels that round as `rounding` says; `None` if it would.
pub fn obstacle(
    settings: &Settings,
    net: &Network,
    checkpoint: &Checkpoint,
    rounding: Option<Rounding>,
) -> Option<String> {
    let layer = net.layers().iter().find(|(layer, _)| !is_own(layer));
    match (checkpoint.rounding, checkpoint.workers) {
        _ if settings.kernels == Kernels::Stock => Some("it uses Burn's own kernels".into()),
        _ if settings.clip > 0.0 => Some("clipping takes the norm of the gradient with Burn's own sum".into()),
        _ if layer.is_some() => layer.map(|(layer, _)| format!("{layer} is computed by Burn's own operations")),
        _ if checkpoint.trainer.step == 0 => None,
        (None, _) => Some("it was not trained on the CPU".into()),
        (Some(Rounding::Once), _) if rounding != Some(Rounding::Once) => {
            Some("it was trained with fused multiply-adds, which this processor lacks".into())
        }
        (before, _) if before != rounding => {
            Some("it was trained without fused multiply-adds, which this processor's kernels always use".into())
        }
        (_, None) => Some("it does not say how many workers shared its batches".into()),
        _ => None,
    }
}

/// Whether a layer runs on Inkling's own kernels and exact operations alone.
fn is_own(layer: &Layer) -> bool {
    let exact = |activation| matches!(activation, Activation::Relu | Activation::LeakyRelu | Activation::None);
    match *layer {
        Layer::Conv(conv) => conv.stride == 1 && exact(conv.activation),
        Layer::Residual(block) => exact(block.activation),
        Layer::Dense(_, activation) => exact(activation),
        Layer::Pool(_) | Layer::Dropout(_) => true,
        Layer::GlobalPool | Layer::BatchNorm(_) => false,
    }
}
