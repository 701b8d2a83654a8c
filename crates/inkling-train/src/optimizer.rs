//! Adam over the whole network, with a state that can be read and restored.
//!
//! Burn's `ModuleOptimizer` exposes its state only through blocking reads, which a browser forbids on a GPU. This
//! module calls Burn's `Optimizer` for each parameter and keeps the states itself, so they can be read along with the
//! weights.

use burn::{
    optim::{Adam, AdamConfig, AdamState, AdaptiveMomentumState, Optimizer},
    tensor::{Device, Tensor},
};

use crate::model::{Cnn, split};
use inkling_core::{parameters::PARAMETERS, settings::Kernels};
use inkling_kernels::adam::{EPSILON, FusedAdam};

/// The Adam optimizer of a network.
pub struct NetworkAdam {
    adam: Engine,
    /// State of each parameter, in the order of [`SHAPES`](inkling_core::parameters::SHAPES); empty before the first
    /// step.
    states: Vec<AdamState<1>>,
}

enum Engine {
    /// One pass per parameter, for tensors in CPU memory.
    Fused(FusedAdam),
    Composed(Adam),
}

impl NetworkAdam {
    /// An optimizer without a state, for tensors on `device` (without autodiff).
    pub fn new(kernels: Kernels, device: &Device) -> Self {
        let adam = match kernels {
            Kernels::Fused if *device == Device::flex() => Engine::Fused(FusedAdam),
            _ => Engine::Composed(AdamConfig::new().with_epsilon(EPSILON).build()),
        };
        NetworkAdam { adam, states: Vec::new() }
    }

    /// Restores the state after `steps` steps. `moments` holds the values of [`NetworkAdam::moments`], concatenated.
    pub fn restore(&mut self, steps: u32, moments: &[f32], device: &Device) {
        let (means, squares) = moments.split_at(PARAMETERS);
        let state = |(mean, square)| AdamState::new(AdaptiveMomentumState::new(steps as usize, mean, square));
        self.states = split(means, device).into_iter().zip(split(squares, device)).map(state).collect();
    }

    /// The mean of each parameter's gradients, then the mean of each one's squared gradients; empty before the first
    /// step.
    pub fn moments(&self) -> Vec<Tensor<1>> {
        let means = self.states.iter().map(|state| state.momentum.moment_1.clone());
        means.chain(self.states.iter().map(|state| state.momentum.moment_2.clone())).collect()
    }

    /// The network after one step with the `gradients` of its parameters.
    pub fn step(&mut self, rate: f64, model: Cnn, gradients: Vec<Tensor<1>>) -> Cnn {
        let mut states = std::mem::take(&mut self.states).into_iter();
        let mut gradients = gradients.into_iter();
        let mut next = Vec::new();
        let model = model.map_parameters(|parameter| {
            let Some(gradient) = gradients.next() else { return parameter };
            let (parameter, state) = match &self.adam {
                Engine::Fused(adam) => adam.step(rate, parameter, gradient, states.next()),
                Engine::Composed(adam) => adam.step(rate, parameter, gradient, states.next()),
            };
            next.extend(state);
            parameter
        });
        self.states = next;
        model
    }
}
