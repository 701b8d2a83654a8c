//! The logarithm of softmax. Exponentials and logarithms come from `libm`, and sums are taken in order: so a network's gradients are the same, to
//! the bit, in a browser and natively, where the systems' own functions differ.

use libm::{expf, logf};

/// The logarithm of softmax of each row of `classes` logits.
pub fn log_softmax(logits: &[f32], classes: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(logits.len());
    for row in logits.chunks_exact(classes) {
        // So that no exponential overflows.
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total: f32 = row.iter().map(|logit| expf(logit - largest)).sum();
        let logarithm = logf(total);
        out.extend(row.iter().map(|logit| logit - largest - logarithm));
    }
    out
}

/// The gradient at the logits, from the output of [`log_softmax`] and its gradient: the gradient, less the row's sum of gradients times
/// softmax.
pub fn gradient(output: &[f32], gradient: &[f32], classes: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(output.len());
    for (output, gradient) in output.chunks_exact(classes).zip(gradient.chunks_exact(classes)) {
        let total: f32 = gradient.iter().sum();
        out.extend(output.iter().zip(gradient).map(|(output, gradient)| gradient - expf(*output) * total));
    }
    out
}
