//! Adam over the whole network, with its state in reach.
//!
//! Burn's `ModuleOptimizer` hands its state out only by reads that block, which a browser forbids on a GPU. So this steps
//! Burn's `Optimizer` parameter by parameter and keeps the states: they can be read with the weights, and set.

use burn::{
    optim::{Adam, AdamConfig, AdamState, AdaptiveMomentumState, Optimizer},
    tensor::{Device, Tensor},
};

use crate::{
    kernels::{
        Kernels,
        adam::{EPSILON, FusedAdam},
    },
    model::{Cnn, split},
    parameters::PARAMETERS,
};

/// The optimiser of a network.
pub struct NetworkAdam {
    adam: Engine,
    /// Of each parameter, in the order of [`SHAPES`](crate::parameters::SHAPES); empty before the first step.
    states: Vec<AdamState<1>>,
}

enum Engine {
    /// In one pass, where the tensors lie in the CPU's memory.
    Fused(FusedAdam),
    Composed(Adam),
}

impl NetworkAdam {
    /// Without a state, for tensors on `device` (without autodiff).
    pub fn new(kernels: Kernels, device: &Device) -> Self {
        let adam = match kernels {
            Kernels::Fused if *device == Device::flex() => Engine::Fused(FusedAdam),
            _ => Engine::Composed(AdamConfig::new().with_epsilon(EPSILON).build()),
        };
        NetworkAdam { adam, states: Vec::new() }
    }

    /// Sets the state after `steps` steps from the two [`NetworkAdam::moments`], one after the other.
    pub fn restore(&mut self, steps: u32, moments: &[f32], device: &Device) {
        let (means, squares) = moments.split_at(PARAMETERS);
        let state = |(mean, square)| AdamState::new(AdaptiveMomentumState::new(steps as usize, mean, square));
        self.states = split(means, device).into_iter().zip(split(squares, device)).map(state).collect();
    }

    /// Means of each parameter's gradients, then those of their squares; none before the first step.
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
