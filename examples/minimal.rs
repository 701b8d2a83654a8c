//! Data, network, training step and accuracy check, without a session or a browser.
//!
//! ```text
//! cargo run --release --no-default-features --features cpu --example minimal
//! ```

use burn::tensor::Device;
use inkling_core::{
    augment::Augmentation,
    data::{Batch, Split, synthetic},
    network::Network,
    settings::{Kernels, Method},
};
use inkling_train::{
    feed::Feed,
    pass::Recipe,
    read::{ReadError, read_metrics},
    schedule::Schedule,
    trainer::Trainer,
};
use pollster::block_on;

const SEED: u32 = 42;
const BATCH: usize = 64;
const EPOCHS: u32 = 2;

fn main() -> Result<(), ReadError> {
    // Data: digits drawn here; `inkling_formats::mnist::read_folder` reads MNIST.
    let data = synthetic::digits(6000, SEED);
    let split = Split::stratified(&data.train.labels, None, SEED);
    let ranges = Augmentation { rotation: 10.0, shift_x: 0.1, shift_y: 0.1, zoom: 0.1 };

    // Network and optimizer.
    let steps = split.train.len().div_ceil(BATCH) as u32 * EPOCHS;
    let schedule = Schedule::new(0.004, steps);
    let recipe = Recipe {
        seed: SEED,
        net: Network::default(),
        schedule,
        method: Method::default(),
        kernels: Kernels::Fused,
        class_weights: vec![],
    };
    let mut trainer = Trainer::new(recipe, &Device::flex());

    // Training: each step is a forward pass, a backward pass and an update.
    for epoch in 1..=EPOCHS {
        let mut metrics = Vec::new();
        for numbers in split.order(SEED, epoch).chunks(BATCH) {
            let batch = Batch::augmented(&data.train.pick(numbers), &ranges, SEED, epoch);
            let feed = Feed::upload(batch, trainer.device());
            metrics.push(trainer.step(feed));
        }
        let losses = block_on(read_metrics(metrics))?;
        let mean = losses.iter().map(|[loss, _]| loss).sum::<f64>() / losses.len() as f64;
        println!("epoch {epoch}: training loss {mean:.3}");
    }

    // Accuracy on the test set, and a gate.
    let evaluated = block_on(trainer.evaluate(Batch::plain(&data.test, 0..data.test.len())))?;
    let accuracy = f64::from(evaluated.right()) / data.test.len() as f64;
    println!("test accuracy {accuracy:.4}");
    assert!(accuracy > 0.97, "the network has not learned the digits");
    Ok(())
}
