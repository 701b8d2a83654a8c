//! The scripts that the page offers. The program for Burn is compiled here and compared with Inkling; `tests/e2e/code.test.mjs` runs the
//! script for Keras.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed
#![cfg(not(target_arch = "wasm32"))]

#[path = "generated/inkling_burn.rs"]
#[rustfmt::skip]
#[allow(dead_code)]
mod generated;

use burn::tensor::{Device, Tensor, TensorData};
use inkling_core::{
    data::{Batch, Dataset, synthetic},
    network::Network,
    parameters::random_weights,
    protocol::{Format, Language},
    settings::{DatasetName, Kernels, OptimizerName, ScheduleName, Settings},
};
use inkling_formats::{code::script, weights};
use inkling_train::{feed::upload, model::Model};
use std::{error::Error, fs};

/// Every kind of layer, and most of the recipe.
fn settings() -> Settings {
    let net = "conv 8 5x5 same stride 2 leaky, residual 12 silu, pool, residual 12, conv 6 1x1 gelu, avgpool, \
               batchnorm relu, dropout 0.1, dense 24 tanh, batchnorm sigmoid, dense 16";
    let mut settings = Settings {
        dataset: DatasetName::Synthetic,
        images: 1200,
        epochs: 4,
        batch: 24,
        optimizer: OptimizerName::Adamw,
        schedule: ScheduleName::Onecycle,
        decay: 0.01,
        smoothing: 0.05,
        balance: true,
        net: net.parse().unwrap(),
        ..Settings::default()
    };
    settings.augmentation.rotation = 5.0;
    settings
}

fn network(settings: &Settings) -> Network {
    settings.network(settings.dataset.shape(None)).unwrap()
}

/// With UPDATE=1 in the environment, it first replaces the program by the one that is written now.
#[test]
fn the_program_for_burn_is_the_one_that_is_compiled_here() {
    let written = script(Language::Burn, &network(&settings()), &settings());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/generated/inkling_burn.rs");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, &written).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), written, "run this test with UPDATE=1 in the environment");
}

#[test]
fn the_program_for_burn_computes_what_inkling_does() -> Result<(), Box<dyn Error>> {
    let (settings, device) = (settings(), Device::flex());
    let net = network(&settings);
    let mut values = random_weights(net.parameters(), 4);
    // Nothing is at its first value: the second convolution of a residual block starts at zero.
    values.iter_mut().enumerate().for_each(|(at, value)| *value += 0.05 * (at as f32 * 0.7).sin().abs());
    let folder = tempfile();
    let path = folder.join("weights.safetensors");
    fs::write(&path, weights::file(Format::Safetensors, &net, &values)?)?;
    let theirs = generated::loaded(path.to_str().unwrap(), &device)?;
    let ours = Model::new(&net, values, Kernels::Fused, &device);
    let data = synthetic::drawn(&settings).unwrap();
    let (images, _) = upload(Batch::plain(&data.test, 0..40), &device);
    let flat = |logits: Tensor<2>| logits.into_data().try_into_vec::<f32>().unwrap();
    let (a, b) = (flat(ours.forward(images.clone())), flat(theirs.forward(images)));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-4), "{a:?} {b:?}");
    assert!(a.iter().any(|logit| logit.abs() > 0.1));
    Ok(())
}

#[test]
fn the_program_for_burn_reads_the_data_set_and_learns_it() -> Result<(), Box<dyn Error>> {
    let (settings, device) = (settings(), Device::flex());
    let data: Dataset = synthetic::drawn(&settings).unwrap();
    let path = tempfile().join("data.safetensors");
    fs::write(&path, weights::data_file(&data)?)?;
    let [to_train_with, to_test_with] = generated::load(path.to_str().unwrap())?;
    let net = generated::train(&to_train_with, &device);
    let accuracy = generated::accuracy(&net, &to_test_with, &device);
    // A guess is right once in ten.
    assert!(accuracy > 0.6, "{accuracy}");
    // Its images are those of the page.
    let (images, _) = upload(Batch::plain(&data.test, 0..1), &device);
    let logits = |images: Tensor<4>| net.forward(images).into_data().try_into_vec::<f32>().unwrap();
    let first: Vec<f32> = data.test.image(0).iter().map(|&shade| f32::from(shade) / 255.0).collect();
    assert_eq!(logits(images), logits(Tensor::from_data(TensorData::new(first, [1, 1, 28, 28]), &device)));
    Ok(())
}

#[test]
fn every_recipe_and_every_data_set_gives_a_whole_script() {
    use OptimizerName::{Adam, Adamw, Momentum, Nesterov, Rmsprop, Sgd};
    for optimizer in [Adam, Adamw, Sgd, Momentum, Nesterov, Rmsprop] {
        for (dataset, schedule) in [
            (DatasetName::Mnist, ScheduleName::Cosine),
            (DatasetName::Letters, ScheduleName::Step),
            (DatasetName::Shapes, ScheduleName::Constant),
        ] {
            let settings = Settings { optimizer, dataset, schedule, decay: 0.001, clip: 1.0, ..Settings::default() };
            for language in Language::ALL {
                let text = script(language, &network(&settings), &settings);
                // A template's place that nothing has filled.
                let left =
                    text.split('@').nth(1).filter(|word| word.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
                assert_eq!(left, None, "{text}");
            }
        }
    }
}

/// A folder for this test alone.
fn tempfile() -> std::path::PathBuf {
    let name = std::thread::current().name().unwrap_or("test").replace(':', "-");
    let folder = std::env::temp_dir().join(format!("inkling-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}
