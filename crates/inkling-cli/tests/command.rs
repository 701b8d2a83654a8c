//! The command as a user runs it: its files, what it prints, and its exit codes.
#![allow(clippy::unwrap_used)] // a failed unwrap shows where the test failed

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    mem,
    path::Path,
    process::{Command, Output, Stdio},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

/// A small run that takes a second.
const SMALL: &str = "--dataset synthetic --images 600 --net dense+24 --batch 32 --backend cpu --replicas 2 --epochs";

/// Epochs that take a second or two.
const LONG: u32 = 60;

fn inkling(folder: &TempDir, args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
    command.current_dir(folder.path()).args(args.split_whitespace().map(|arg| arg.replace('+', " ")));
    command
}

/// Runs it. Returns its exit code, standard output and standard error.
fn run(folder: &TempDir, args: &str) -> (i32, String, String) {
    let Output { status, stdout, stderr } = inkling(folder, args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// Runs it, and expects that it succeeds. Returns what it printed.
fn done(folder: &TempDir, args: &str) -> String {
    let (code, stdout, stderr) = run(folder, args);
    assert_eq!(code, 0, "{args}: {stderr}");
    stdout
}

fn json(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The JSON in a run file.
fn run_file(path: &Path) -> Value {
    let mut text = String::new();
    GzDecoder::new(&fs::read(path).unwrap()[..]).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_run_is_trained_scored_described_and_exported() {
    let folder = tempdir().unwrap();
    let lines = json(&done(&folder, &format!("train {SMALL} 2 --json")));
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    assert_eq!((of("loaded").len(), of("epoch").len(), of("test").len(), of("saved").len()), (1, 2, 1, 1));
    let accuracy = of("test")[0]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.3, "{accuracy}");

    let score = &json(&done(&folder, "test inkling-run.json.gz --json"))[0];
    assert_eq!(score["accuracy"], accuracy);
    assert!(done(&folder, "test inkling-run.json.gz").contains("weighted avg"));
    let info = &json(&done(&folder, "info inkling-run.json.gz --json"))[0];
    assert_eq!((&info["network"], &info["run"]["finished"]), (&"dense 24".into(), &true.into()));
    assert_eq!(info["run"]["test_accuracy"], accuracy);
    assert!(done(&folder, "info inkling-run.json.gz").contains("--net \"dense 24\""));

    for (format, file) in [("safetensors", "inkling.safetensors"), ("burnpack", "inkling.bpk")] {
        done(&folder, &format!("export inkling-run.json.gz --format {format}"));
        let score = &json(&done(&folder, &format!("test {file} --dataset synthetic --json")))[0];
        // The test set is drawn for the number of images.
        assert!(score["accuracy"].as_f64().unwrap() > 0.3, "{score}");
    }
    for (format, file) in [("onnx", "inkling.onnx"), ("keras", "inkling_keras.py"), ("burn", "inkling_burn.rs")] {
        assert_eq!(done(&folder, &format!("export inkling-run.json.gz --format {format}")).trim(), file);
        assert!(fs::metadata(folder.path().join(file)).unwrap().len() > 500);
    }
}

#[test]
fn an_interrupted_run_continues_bit_for_bit() {
    let folder = tempdir().unwrap();
    done(&folder, &format!("train {SMALL} {LONG} -o whole.json.gz --quiet"));
    interrupted(&folder, "parts.json.gz");
    assert!(done(&folder, "info parts.json.gz").contains("unfinished"));

    done(&folder, "resume parts.json.gz --exact --quiet");
    let [whole, parts] = ["whole.json.gz", "parts.json.gz"].map(|name| run_file(&folder.path().join(name)));
    assert_eq!(whole["checkpoint"]["trainer"], parts["checkpoint"]["trainer"]);
    assert_eq!(whole["test"]["accuracy"], parts["test"]["accuracy"]);
    let (code, _, stderr) = run(&folder, "resume parts.json.gz");
    assert!(code == 0 && stderr.contains("is finished"), "{stderr}");
}

#[test]
fn a_run_that_cannot_continue_bit_for_bit_says_why() {
    let folder = tempdir().unwrap();
    let mut run_of_page = interrupted(&folder, "part.json.gz");
    let write = |run: &Value| fs::write(folder.path().join("other.json.gz"), gzipped(&run.to_string())).unwrap();
    for (part, key, value, words) in [
        ("checkpoint", "rounding", Value::Null, "not trained on the CPU"),
        ("checkpoint", "workers", Value::Null, "how many workers"),
        ("settings", "clip", 1.into(), "clipping"),
        ("settings", "kernels", "stock".into(), "Burn's own kernels"),
        ("settings", "net", "dense 24 gelu".into(), "dense 24 gelu is computed by Burn"),
    ] {
        let before = mem::replace(&mut run_of_page[part][key], value);
        write(&run_of_page);
        run_of_page[part][key] = before;
        let (code, _, stderr) = run(&folder, "resume other.json.gz --exact");
        assert!(code == 2 && stderr.contains(words), "{stderr}");
    }
    write(&run_of_page);
    assert!(done(&folder, "resume other.json.gz").contains("test accuracy"), "without --exact, it goes on");
}

#[test]
fn an_exact_run_rounds_as_it_did_before_or_the_command_says_that_this_processor_cannot() {
    let folder = tempdir().unwrap();
    let mut run_of_page = interrupted(&folder, "part.json.gz");
    let own = run_of_page["checkpoint"]["rounding"].clone();
    for rounding in ["Once", "Twice"] {
        run_of_page["checkpoint"]["rounding"] = rounding.into();
        fs::write(folder.path().join("other.json.gz"), gzipped(&run_of_page.to_string())).unwrap();
        let (code, _, stderr) = run(&folder, "resume other.json.gz --exact");
        match code {
            0 => assert_eq!(run_file(&folder.path().join("other.json.gz"))["checkpoint"]["rounding"], rounding),
            _ => assert!(code == 2 && stderr.contains("fused multiply-adds") && own != rounding, "{stderr}"),
        }
    }
}

#[test]
fn speed_measures_each_batch_size_or_says_that_the_run_is_too_short() {
    let folder = tempdir().unwrap();
    let small = "speed --dataset synthetic --net dense+8 --replicas 1 --backend cpu --seconds 1 --json";
    let lines = json(&done(&folder, &format!("{small} --images 20000 --epochs 100 --batches 64,256")));
    assert_eq!(lines.iter().map(|line| &line["batch"]).collect::<Vec<_>>(), [64, 256]);
    assert!(lines.iter().all(|line| line["images_per_second"].as_f64().unwrap() > 100.0), "{lines:?}");
    let (code, _, stderr) = run(&folder, &format!("{small} --images 600 --epochs 1"));
    assert!(code == 2 && stderr.contains("more --images"), "{stderr}");
    let (code, _, stderr) = run(&folder, &format!("{small} --batches 0"));
    assert!(code == 2 && stderr.contains("Batch size must be"), "{stderr}");
}

/// A run that was interrupted as soon as its images were there, long before its end.
fn interrupted(folder: &TempDir, file: &str) -> Value {
    interrupted_after(folder, file, "", "loaded")
}

/// A run with these options more, which was interrupted after this event.
fn interrupted_after(folder: &TempDir, file: &str, options: &str, event: &str) -> Value {
    let mut command = inkling(folder, &format!("train {SMALL} {LONG} {options} --json -o {file}"));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(&format!("\"event\":\"{event}\""))));
    // From another process, as a terminal does.
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    run_file(&folder.path().join(file))
}

#[test]
fn what_is_wrong_is_said_and_has_an_exit_code() {
    let folder = tempdir().unwrap();
    done(&folder, &format!("train {SMALL} 1 --quiet"));
    let good = fs::read(folder.path().join("inkling-run.json.gz")).unwrap();
    let write = |name: &str, contents: &[u8]| fs::write(folder.path().join(name), contents).unwrap();
    write("short.json.gz", &good[..good.len() / 2]);
    write("other.json.gz", &gzipped("{\"version\":3}"));
    write("future.json.gz", &gzipped("{\"version\":99}"));
    write("list.json.gz", &gzipped("[1,2]"));
    write("text.txt", b"hello");
    write("empty.png", b"");
    let cases = [
        ("train --epochs 0".to_string(), 2, "Epochs must be"),
        (format!("train {SMALL} 1"), 2, "--force overwrites it"),
        ("train --backend quantum".into(), 2, "possible values"),
        ("train --link ?backend=remote -o new.json.gz".into(), 2, "only the page trains on a server"),
        #[cfg(not(feature = "cuda"))]
        ("train --backend cuda -o new.json.gz".into(), 2, "--features cuda"),
        ("train --dataset own -o new.json.gz".into(), 2, "need --data"),
        (format!("train {SMALL} 1 -o nowhere/x.json.gz"), 3, "can't be written"),
        ("train --mnist nowhere -o new.json.gz --backend cpu".into(), 3, "name their folder with --mnist"),
        ("train --data text.txt -o new.json.gz".into(), 3, "text.txt"),
        ("info missing.json.gz".into(), 3, "missing.json.gz can't be read"),
        ("info short.json.gz".into(), 3, "cut short"),
        ("info other.json.gz".into(), 3, "not the file of a run"),
        ("info future.json.gz".into(), 3, "another version of Inkling wrote it"),
        ("info list.json.gz".into(), 3, "not the file of a run"),
        ("info text.txt".into(), 3, "text.txt"),
        ("predict inkling-run.json.gz empty.png".into(), 3, "empty.png"),
        ("export inkling-run.json.gz --format keras -o nowhere/x.py".into(), 3, "can't be written"),
    ];
    for (args, expected, words) in cases {
        let (code, _, stderr) = run(&folder, &args);
        assert_eq!(code, expected, "{args}: {stderr}");
        assert!(stderr.contains(words), "{args}: {stderr}");
        assert!(!stderr.contains("panicked"), "{args}: {stderr}");
    }
    assert_eq!(fs::read(folder.path().join("inkling-run.json.gz")).unwrap(), good, "nothing was overwritten");
}

#[test]
fn damaged_run_files_are_refused_without_a_panic() {
    let folder = tempdir().unwrap();
    done(&folder, &format!("train {SMALL} 1 --quiet"));
    let good = run_file(&folder.path().join("inkling-run.json.gz")).to_string();
    // A character is changed here and there, but not in the base64 of weights and curves, which take most of the file.
    let mut places = Vec::new();
    let mut from = 0;
    for part in good.split("base64\":\"") {
        // After the first part, each begins with base64.
        let text = if from == 0 { 0 } else { part.find('"').unwrap() };
        places.extend(from + text..from + part.len());
        from += part.len() + "base64\":\"".len();
    }
    let places = places.iter().copied().step_by(places.len() / 60);
    for at in places {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'9' { b'{' } else { b'9' };
        fs::write(folder.path().join("bad.json.gz"), gzipped(&String::from_utf8(bytes).unwrap())).unwrap();
        let (code, _, stderr) = run(&folder, "info bad.json.gz");
        assert!(matches!(code, 0 | 3) && !stderr.contains("panicked"), "at {at}: {code} {stderr}");
    }
}

#[test]
fn pictures_are_read_and_predicted() {
    let folder = tempdir().unwrap();
    let draw = |name: &str, ink: u8, paper: u8, scale: u32| {
        // A bar, as a 1 has, on a picture that is wider than high.
        let bar = |x: u32, y: u32| (27..33).contains(&(x / scale)) && (8..32).contains(&(y / scale));
        let picture = image::GrayImage::from_fn(60 * scale, 40 * scale, |x, y| {
            image::Luma([if bar(x, y) { ink } else { paper }])
        });
        picture.save(folder.path().join(name)).unwrap();
    };
    draw("dark.png", 10, 250, 1);
    draw("bright.png", 240, 0, 3);
    fs::create_dir_all(folder.path().join("own/bars")).unwrap();
    fs::create_dir_all(folder.path().join("own/blank")).unwrap();
    for i in 0..80 {
        draw(&format!("own/bars/{i}.png"), i, 170 + i, 1);
        draw(&format!("own/blank/{i}.png"), 100 + i, 100 + i, 1);
    }
    done(&folder, &format!("train {SMALL} 3 --quiet -o digits.json.gz"));
    let seen = json(&done(&folder, "predict digits.json.gz dark.png bright.png --json"));
    assert_eq!(seen.len(), 2);
    // Dark on bright or bright on dark, small or large, it is the same ink.
    let sure = |at: usize| seen[at]["probabilities"][1].as_f64().unwrap();
    assert!((sure(0) - sure(1)).abs() < 0.02, "{seen:?}");

    let train =
        "train --data own --side 16 --gray --net dense+8 --epochs 20 --batch 8 --augment 0 --backend cpu --quiet";
    assert!(done(&folder, &format!("{train} -o own.json.gz")).contains("test accuracy 100.00 %"));
    assert!(done(&folder, "predict own.json.gz own/bars/3.png --names bars,blank").contains("bars"));
    assert!(done(&folder, "test own.json.gz --data own").contains("test accuracy 100.00 %"));
    // A file of weights says what its images look like.
    done(&folder, "export own.json.gz --format safetensors -o own.safetensors");
    assert!(done(&folder, "predict own.safetensors own/bars/3.png --dataset own --names bars,blank").contains("bars"));
    let (code, _, stderr) = run(&folder, "test own.json.gz");
    assert!(code == 2 && stderr.contains("name their files with --data"), "{stderr}");
    let (code, _, stderr) = run(&folder, "test digits.json.gz --data own");
    assert!(code == 2 && stderr.contains("this run uses another data set"), "{stderr}");
}

#[test]
fn completions_and_manual_pages_know_the_settings() {
    let folder = tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        assert!(done(&folder, &format!("completions {shell}")).contains("smoothing"), "{shell}");
    }
    done(&folder, "man pages");
    let page = fs::read_to_string(folder.path().join("pages/inkling-train.1")).unwrap();
    assert!(page.contains("Images per training step"), "{page}");
}

#[cfg(feature = "serve")]
#[test]
fn serve_prints_a_link_that_its_key_keeps_and_says_when_it_cannot_listen() {
    let folder = tempdir().unwrap();
    let serving = |listen: &str| {
        let mut command = inkling(&folder, &format!("serve --backend cpu --json --key key --listen {listen}"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        (child, serde_json::from_str::<Value>(&line).unwrap())
    };
    let (mut first, line) = serving("127.0.0.1:0");
    let (address, link) = (line["address"].as_str().unwrap(), line["link"].as_str().unwrap());
    let (page, server) = link.split_once("#server=").unwrap();
    assert_eq!(page, "http://localhost:8080/?backend=remote");
    let keys = server.strip_prefix(address).unwrap();
    let port = address.strip_prefix("http://").unwrap();
    let (code, _, stderr) = run(&folder, &format!("serve --backend cpu --listen {port}"));
    assert!(code == 4 && stderr.contains("choose another --listen"), "{stderr}");
    let (code, _, stderr) = run(&folder, "serve --backend cpu --listen 127.0.0.1:0 --address nonsense");
    assert!(code == 2 && stderr.contains("--address nonsense"), "{stderr}");

    let (mut again, line) = serving("127.0.0.1:0");
    assert!(line["link"].as_str().unwrap().ends_with(keys), "{line}");
    for child in [&mut first, &mut again] {
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[cfg(feature = "devices")]
#[test]
fn a_run_on_several_devices_is_kept_and_goes_on_on_one() {
    let folder = tempdir().unwrap();
    done(&folder, &format!("train {SMALL} 4 --devices 2 --quiet -o two.json.gz"));
    done(&folder, &format!("train {SMALL} 4 --replicas 1 --quiet -o one.json.gz"));
    let [two, one] = ["two.json.gz", "one.json.gz"].map(|name| run_file(&folder.path().join(name)));
    assert_eq!(two["checkpoint"]["trainer"]["step"], one["checkpoint"]["trainer"]["step"]);
    let accuracy = |run: &Value| run["test"]["accuracy"].as_f64().unwrap();
    assert!((accuracy(&two) - accuracy(&one)).abs() < 0.1, "{} {}", accuracy(&two), accuracy(&one));
    interrupted_after(&folder, "part.json.gz", "--devices 3", "epoch");
    assert!(done(&folder, "resume part.json.gz").contains("test accuracy"));
    let (code, _, stderr) = run(&folder, &format!("train {SMALL} 1 --devices 0 -o none.json.gz"));
    assert!(code == 2 && stderr.contains("--devices"), "{stderr}");
}
