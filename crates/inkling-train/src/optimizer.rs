//! The optimizer of a whole network, with a state that can be read and restored.
//!
//! Burn's `ModuleOptimizer` exposes its state only through blocking reads, which a browser forbids on a GPU. This
//! module updates each parameter itself and keeps the state, so that it can be read along with the weights. Adam and AdamW are
//! Burn's, or the fused one; the others are a line or two each, because Burn hides their state.

use burn::{
    optim::{Adam, AdamConfig, AdamState, AdaptiveMomentumState, Optimizer},
    tensor::{Device, Tensor},
};

use crate::model::{Model, split};
use inkling_core::{
    network::Network,
    parameters::Follows,
    settings::{Kernels, Method, OptimizerName},
};
use inkling_kernels::adam::{EPSILON, FusedAdam};

/// Share of the speed that momentum keeps.
const MOMENTUM: f32 = 0.9;
/// Share of the mean square that RMSprop keeps, as in Keras.
const RHO: f32 = 0.9;
/// Share of the way to a batch's mean or variance that the running one goes, as in PyTorch.
const NORM_SHARE: f32 = 0.1;

/// The optimizer of a network.
pub struct NetworkOptimizer {
    adam: Engine,
    method: Method,
    /// Number of steps done.
    steps: usize,
    /// What is kept for each parameter, in the order of [`Network::parameters`]: as many tensors as the optimizer has
    /// [slots](OptimizerName::slots); empty before the first step.
    slots: Vec<Vec<Tensor<1>>>,
}

enum Engine {
    /// One pass per parameter, for tensors in CPU memory.
    Fused(FusedAdam),
    Composed(Adam),
}

impl NetworkOptimizer {
    /// An optimizer without a state, for tensors on `device` (without autodiff).
    pub fn new(method: Method, kernels: Kernels, device: &Device) -> Self {
        let adam = match kernels {
            Kernels::Fused if *device == Device::flex() => Engine::Fused(FusedAdam),
            _ => Engine::Composed(AdamConfig::new().with_epsilon(EPSILON).build()),
        };
        NetworkOptimizer { adam, method, steps: 0, slots: Vec::new() }
    }

    /// Restores the state of `net` after `steps` steps. `state` holds the values of [`NetworkOptimizer::state`], concatenated.
    pub fn restore(&mut self, net: &Network, steps: u32, state: &[f32], device: &Device) {
        self.steps = steps as usize;
        self.slots = vec![Vec::new(); net.parameters().len()];
        for slot in state.chunks_exact(net.count()) {
            for (slots, tensor) in self.slots.iter_mut().zip(split(net, slot, device)) {
                slots.push(tensor);
            }
        }
    }

    /// What is kept, slot by slot, each with one tensor per parameter; empty before the first step.
    pub fn state(&self) -> Vec<Tensor<1>> {
        let slot = |slot: usize| self.slots.iter().filter_map(move |slots| slots.get(slot).cloned());
        (0..self.method.optimizer.slots()).flat_map(slot).collect()
    }

    /// The network after one step with the [changes](Model::changes) of its parameters.
    pub fn step(&mut self, rate: f64, model: Model, changes: Vec<Tensor<1>>) -> Model {
        let network = model.network().clone();
        let follows: Vec<Follows> = network.parameters().iter().map(|parameter| parameter.follows).collect();
        let mut slots = std::mem::take(&mut self.slots).into_iter();
        let mut changes = self.clipped(changes, &follows).into_iter().zip(&follows);
        let mut next = Vec::new();
        let model = model.map_parameters(|parameter| {
            let (Some((change, follows)), kept) = (changes.next(), slots.next().unwrap_or_default()) else {
                return parameter;
            };
            let (parameter, kept) = match follows {
                Follows::Gradient => self.update(rate, parameter, change, kept),
                // The slots keep their places.
                Follows::Batches => {
                    let none = vec![change.zeros_like(); self.method.optimizer.slots()];
                    (parameter - change * NORM_SHARE, none)
                }
            };
            next.push(kept);
            parameter
        });
        self.slots = next;
        self.steps += 1;
        model
    }

    /// The changes with the gradients among them shortened together if their norm is above the limit.
    fn clipped(&self, changes: Vec<Tensor<1>>, follows: &[Follows]) -> Vec<Tensor<1>> {
        let limit = self.method.clip;
        let is_gradient = |follows: &Follows| *follows == Follows::Gradient;
        let gradients = changes.iter().zip(follows).filter(|(_, follows)| is_gradient(follows));
        let squares = gradients.map(|(gradient, _)| gradient.clone().square().sum());
        let Some(square) = squares.reduce(|a, b| a + b).filter(|_| limit > 0.0) else { return changes };
        let factor = (square.sqrt() + 1e-6).recip().mul_scalar(limit).clamp_max(1.0); // [1]
        let shorten = |(change, follows)| if is_gradient(follows) { change * factor.clone() } else { change };
        changes.into_iter().zip(follows).map(shorten).collect()
    }

    /// One parameter after a step, and what is kept for the next one.
    fn update(
        &self,
        rate: f64,
        parameter: Tensor<1>,
        gradient: Tensor<1>,
        slots: Vec<Tensor<1>>,
    ) -> (Tensor<1>, Vec<Tensor<1>>) {
        let Method { optimizer, decay, .. } = self.method;
        let (parameter, gradient) = match (optimizer, decay > 0.0) {
            (_, false) => (parameter, gradient),
            (OptimizerName::Adamw, true) => (parameter * (1.0 - rate * decay), gradient),
            (_, true) => (parameter.clone(), gradient + parameter * decay),
        };
        let mut slots = slots.into_iter();
        match optimizer {
            OptimizerName::Adam | OptimizerName::Adamw => {
                let moments = slots.next().zip(slots.next());
                let state =
                    moments.map(|(mean, square)| AdamState::new(AdaptiveMomentumState::new(self.steps, mean, square)));
                let (parameter, state) = match &self.adam {
                    Engine::Fused(adam) => adam.step(rate, parameter, gradient, state),
                    Engine::Composed(adam) => adam.step(rate, parameter, gradient, state),
                };
                let kept = state.map(|state| vec![state.momentum.moment_1, state.momentum.moment_2]);
                (parameter, kept.unwrap_or_default())
            }
            OptimizerName::Sgd => (parameter - gradient * rate, Vec::new()),
            OptimizerName::Momentum | OptimizerName::Nesterov => {
                let speed = match slots.next() {
                    Some(speed) => speed * MOMENTUM + gradient.clone(),
                    None => gradient.clone(),
                };
                let ahead = optimizer == OptimizerName::Nesterov;
                let step = if ahead { gradient + speed.clone() * MOMENTUM } else { speed.clone() };
                (parameter - step * rate, vec![speed])
            }
            OptimizerName::Rmsprop => {
                let square = gradient.clone().square() * (1.0 - RHO);
                let square = slots.next().map_or(square.clone(), |kept| kept * RHO + square);
                (parameter - gradient * rate / (square.clone().sqrt() + EPSILON), vec![square])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{feed::upload, pass::cross_entropy};
    use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig, momentum::MomentumConfig};
    use inkling_core::{
        data::{Batch, synthetic},
        parameters::random_weights,
    };

    const RATE: f64 = 0.02;

    fn net() -> Network {
        "conv 2, pool, dense 5 tanh".parse().unwrap()
    }

    fn model() -> Model {
        let net = net();
        Model::new(&net, random_weights(net.parameters(), 3), Kernels::Fused, &Device::flex().autodiff())
    }

    fn loss(model: &Model, step: usize) -> Tensor<1> {
        let digits = synthetic::digits(60, 2).train;
        let (images, labels) = upload(Batch::plain(&digits, 6 * step..6 * step + 6), &Device::flex().autodiff());
        cross_entropy(model.forward(images), labels)
    }

    fn values(tensors: Vec<Tensor<1>>) -> Vec<f32> {
        tensors.into_iter().flat_map(|tensor| tensor.into_data().try_into_vec::<f32>().unwrap()).collect()
    }

    /// The weights after ten steps of ours.
    fn ours(method: Method, kernels: Kernels) -> Vec<f32> {
        let (mut model, mut optimizer) = (model(), NetworkOptimizer::new(method, kernels, &Device::flex()));
        for step in 0..10 {
            let gradients = loss(&model, step).backward();
            let gradients = model.gradients(&gradients);
            model = optimizer.step(RATE, model, gradients);
        }
        assert_eq!(optimizer.state().len(), method.optimizer.slots() * net().parameters().len());
        values(model.parameters())
    }

    fn burns(mut optimizer: ModuleOptimizer) -> Vec<f32> {
        let mut model = model();
        for step in 0..10 {
            let gradients = GradientsParams::from_grads(loss(&model, step).backward(), &model);
            model = optimizer.step(RATE, model, gradients);
        }
        values(model.parameters())
    }

    fn assert_same(what: &str, a: &[f32], b: &[f32]) {
        let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(a.len() == b.len() && worst < 2e-6, "{what} differs by {worst}");
        let moved = a.iter().zip(random_weights(net().parameters(), 3)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(moved > 0.005, "{what} moves by {moved}");
    }

    #[test]
    fn each_optimizer_moves_the_weights_as_burns_does() {
        let method = |optimizer, decay| Method { optimizer, decay, ..Method::default() };
        let momentum = |nesterov| {
            let config = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0).with_nesterov(nesterov);
            SgdConfig::new().with_momentum(Some(config))
        };
        assert_same("SGD", &ours(method(OptimizerName::Sgd, 0.0), Kernels::Fused), &burns(SgdConfig::new().init()));
        let found = ours(method(OptimizerName::Momentum, 0.0), Kernels::Fused);
        assert_same("momentum", &found, &burns(momentum(false).init()));
        let found = ours(method(OptimizerName::Nesterov, 0.0), Kernels::Fused);
        assert_same("Nesterov", &found, &burns(momentum(true).init()));
        for kernels in [Kernels::Fused, Kernels::Stock] {
            let found = ours(method(OptimizerName::Adam, 0.0), kernels);
            assert_same("Adam", &found, &burns(AdamConfig::new().with_epsilon(EPSILON).init()));
            let found = ours(method(OptimizerName::Adamw, 0.1), kernels);
            let config = AdamWConfig::new().with_epsilon(EPSILON).with_weight_decay(0.1);
            assert_same("AdamW", &found, &burns(config.init()));
        }
    }

    #[test]
    fn rmsprop_and_weight_decay_follow_their_formulas() {
        let mut weights = random_weights(net().parameters(), 3);
        let mut squares = vec![0.0f32; weights.len()];
        let decay = 0.01;
        for step in 0..10 {
            let model = Model::new(&net(), weights.clone(), Kernels::Fused, &Device::flex().autodiff());
            let gradients = loss(&model, step).backward();
            for ((weight, square), gradient) in
                weights.iter_mut().zip(&mut squares).zip(values(model.gradients(&gradients)))
            {
                let gradient = gradient + decay * *weight;
                *square = 0.9 * *square + 0.1 * gradient * gradient;
                *weight -= RATE as f32 * gradient / (square.sqrt() + 1e-7);
            }
        }
        let method = Method { optimizer: OptimizerName::Rmsprop, decay: decay.into(), ..Method::default() };
        let found = ours(method, Kernels::Fused);
        let worst = found.iter().zip(&weights).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "differs by {worst}");
    }

    #[test]
    fn a_gradient_above_the_limit_is_shortened_and_another_one_stays() {
        let clipped = |clip: f64| {
            let optimizer =
                NetworkOptimizer::new(Method { clip, ..Method::default() }, Kernels::Fused, &Device::flex());
            let gradient = |values: [f32; 2]| Tensor::<1>::from_floats(values, &Device::flex());
            values(optimizer.clipped(vec![gradient([3.0, 0.0]), gradient([0.0, 4.0])], &[Follows::Gradient; 2]))
        };
        assert_eq!(clipped(0.0), [3.0, 0.0, 0.0, 4.0]);
        assert_eq!(clipped(6.0), [3.0, 0.0, 0.0, 4.0]);
        for (found, expected) in clipped(1.0).into_iter().zip([0.6, 0.0, 0.0, 0.8]) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}
