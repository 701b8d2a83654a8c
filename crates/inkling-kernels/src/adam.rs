//! Adam (Kingma, Ba 2015) in one pass over a parameter. Burn's version takes a dozen passes, each with a new tensor.

use burn::{
    optim::{AdamState, AdaptiveMomentumState, LearningRate, Optimizer},
    tensor::{Device, Tensor, TensorData},
};

use super::lanes::{LANES, Lanes, Products, kernel};

/// Decay rates of the mean of the gradients and of the mean of their squares, as in the paper.
pub const BETAS: [f32; 2] = [0.9, 0.999];
/// Keeps the quotient finite. The value is Keras's default.
pub const EPSILON: f32 = 1e-7;

/// The Adam optimizer, for tensors in CPU memory.
#[derive(Clone)]
pub struct FusedAdam;

impl Optimizer for FusedAdam {
    /// Burn's type, so that either optimizer can use the other's records.
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let device = parameter.device();
        let (mut time, mean, square) = match state {
            Some(AdamState { momentum }) => (momentum.time, momentum.moment_1, momentum.moment_2),
            None => (0, parameter.zeros_like(), parameter.zeros_like()),
        };
        time += 1;
        // This copies only tensors that have another owner.
        let [mut parameter, mut mean, mut square] = [parameter, mean, square].map(Tensor::into_data);
        let gradient = gradient.into_data();
        let moved = with_slices(&mut parameter, &mut mean, &mut square, &gradient, |p, m, v, g| {
            update(p, m, v, g, rate, time);
        });
        debug_assert!(moved, "parameters are f32");
        let [parameter, mean, square] = [parameter, mean, square].map(|data| Tensor::from_data(data, &device));
        (parameter, Some(AdamState::new(AdaptiveMomentumState::new(time, mean, square))))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        AdamState::new(state.momentum.to_device(device))
    }
}

/// Calls `change` with the values of all tensors. Returns false if one is not f32.
fn with_slices(
    p: &mut TensorData,
    m: &mut TensorData,
    v: &mut TensorData,
    g: &TensorData,
    change: impl FnOnce(&mut [f32], &mut [f32], &mut [f32], &[f32]),
) -> bool {
    match (p.as_mut_slice(), m.as_mut_slice(), v.as_mut_slice(), g.as_slice()) {
        (Ok(p), Ok(m), Ok(v), Ok(g)) => {
            change(p, m, v, g);
            true
        }
        _ => false,
    }
}

kernel! {
    /// Updates all values by one step. `time` counts from 1.
    fn update(p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], rate: f64, time: usize) = update_with
}

#[inline(always)]
fn update_with<P: Products>(p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], rate: f64, time: usize) {
    let [beta1, beta2] = BETAS;
    let time = i32::try_from(time).unwrap_or(i32::MAX);
    // Both bias corrections, folded into rate and epsilon (section 2 of the paper, last paragraph).
    let root = (1.0 - beta2.powi(time)).sqrt();
    let rate = rate as f32 * root / (1.0 - beta1.powi(time));
    let epsilon = EPSILON * root;
    let step = |p: Lanes<P>, m: Lanes<P>, v: Lanes<P>, g: Lanes<P>| {
        let m = m * Lanes::splat(beta1) + g * Lanes::splat(1.0 - beta1);
        let v = v * Lanes::splat(beta2) + g * g * Lanes::splat(1.0 - beta2);
        (p - Lanes::splat(rate) * m / (v.sqrt() + Lanes::splat(epsilon)), m, v)
    };
    let (ps, p_rest) = p.as_chunks_mut::<LANES>();
    let (ms, m_rest) = m.as_chunks_mut::<LANES>();
    let (vs, v_rest) = v.as_chunks_mut::<LANES>();
    let (gs, g_rest) = g.as_chunks::<LANES>();
    for (((p, m), v), g) in ps.iter_mut().zip(ms).zip(vs).zip(gs) {
        let (new_p, new_m, new_v) = step(Lanes::load(p), Lanes::load(m), Lanes::load(v), Lanes::load(g));
        new_p.store(p);
        new_m.store(m);
        new_v.store(v);
    }
    for (((p, m), v), g) in p_rest.iter_mut().zip(m_rest).zip(v_rest).zip(g_rest) {
        let (new_p, new_m, new_v) = step(Lanes::splat(*p), Lanes::splat(*m), Lanes::splat(*v), Lanes::splat(*g));
        [*p, *m, *v] = [new_p, new_m, new_v].map(|lanes| lanes.to_array()[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::{
        module::{Module, Param},
        optim::{AdamConfig, GradientsParams, ModuleOptimizer},
    };

    #[derive(Module, Debug)]
    struct One {
        weight: Param<Tensor<1>>,
    }

    #[test]
    fn it_updates_a_parameter_as_burns_adam_does() {
        let device = Device::flex();
        let values: Vec<f32> = (0..23).map(|i| (i as f32 - 11.0) / 7.0).collect();
        let run = |mut optimizer: ModuleOptimizer| -> Vec<f32> {
            let weight = Tensor::from_floats(&values[..], &device.clone().autodiff());
            let mut one = One { weight: Param::from_tensor(weight) };
            for step in 0..30 {
                let mut gradients = GradientsParams::new();
                let gradient: Vec<f32> = (0..23).map(|i| ((i * 7 + step * 5) % 13) as f32 / 6.0 - 1.0).collect();
                gradients.register(one.weight.id, Tensor::<1>::from_floats(&gradient[..], &device));
                one = optimizer.step(0.01, one, gradients);
            }
            one.weight.val().into_data().try_into_vec().unwrap()
        };
        let (fused, burns) = (run(FusedAdam.into()), run(AdamConfig::new().with_epsilon(EPSILON).init()));
        for ((fused, burns), before) in fused.iter().zip(&burns).zip(&values) {
            assert!((fused - burns).abs() < 1e-6, "{fused} {burns}");
            assert!((fused - before).abs() > 1e-4 || before.abs() < 1e-9);
        }
    }
}
