//! Replicas as nested workers of the leading worker. Each is a separate wasm instance of the module that is already
//! compiled. One buffer carries the weights to a replica and the gradients back. It is transferred, so that no step
//! allocates another.

use std::{cell::RefCell, future::Future, pin::Pin, rc::Rc, sync::Arc, task};

use burn::tensor::Device;
use js_sys::{Array, Float32Array, Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{DedicatedWorkerGlobalScope, ErrorEvent, MessageEvent, Worker};
use web_time::Instant;

use super::post::post;
use crate::{
    BUILD,
    tasks::{error_message, within},
};
use inkling_core::protocol::{Envelope, Event};
use inkling_train::{
    pass::Recipe,
    replicas::{Common, Outcome, PendingReply, Replicas, Reply, Task, perform},
};

/// A place whose replicas are lost more often than this is given up: the run goes on with fewer.
const MAX_LOSSES: u32 = 1;
/// After this many good replies in a row, earlier losses are forgotten.
const GOOD_REPLIES: u32 = 1_000;
/// The timeout for a reply is at least this long,
const MIN_PATIENCE_MS: f64 = 5_000.0;
/// for the first replica of a step; the others have had this time as well, and get a moment more,
const LEAST_PATIENCE_MS: f64 = 500.0;
/// and at least this many times as long as the leader's own share took.
const PATIENCE_SHARES: f64 = 30.0;
/// New replicas are ready within this time, or are not waited for: a step does without them.
const START_PATIENCE_MS: i32 = 3_000;
/// Floats that are added up at a time: 64 KB, which stay in the processor's cache.
const PIECE: usize = 16_384;

/// The replicas of this worker.
pub struct ReplicaWorkers {
    /// Name of the program that they run.
    program: String,
    places: Vec<Place>,
    common: Option<Common>,
}

/// A place for a replica.
struct Place {
    /// The replica; `None` once it is lost for good.
    member: Option<Member>,
    /// How many replicas were lost here. A healthy neighbour does not change that.
    losses: u32,
    /// Good replies since the last loss.
    good: u32,
}

impl ReplicaWorkers {
    /// Starts with no replicas; new ones run `program`.
    pub fn new(program: String) -> Self {
        ReplicaWorkers { program, places: Vec::new(), common: None }
    }
}

impl Replicas for ReplicaWorkers {
    fn max_workers(&self) -> usize {
        let global: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
        (global.navigator().hardware_concurrency() as usize).clamp(1, 8)
    }

    fn resize(&mut self, replicas: usize) {
        self.places.truncate(replicas);
        self.places.iter_mut().for_each(|place| place.losses = 0);
        while self.places.len() < replicas {
            let Some(member) = Member::start(&self.program) else { break };
            self.places.push(Place { member: Some(member), losses: 0, good: 0 });
        }
    }

    fn len(&self) -> usize {
        self.places.len()
    }

    fn ready(&mut self) -> Pin<Box<dyn Future<Output = bool> + '_>> {
        Box::pin(async {
            let since = Instant::now();
            for place in &self.places {
                let left = START_PATIENCE_MS - since.elapsed().as_millis() as i32;
                match &place.member {
                    Some(member) if member.ready(left).await => {}
                    _ => return false,
                }
            }
            true
        })
    }

    fn publish(&mut self, common: Common) {
        self.common = Some(common);
    }

    fn send(&mut self, replica: usize, task: Task) -> bool {
        let Some((place, common)) = self.places.get_mut(replica).zip(self.common.as_ref()) else { return false };
        place.member.as_mut().is_some_and(|member| member.send(common, &task).is_ok())
    }

    fn receive<'a>(&'a mut self, replica: usize, own: f64, waited: f64, sum: &'a mut [f32]) -> PendingReply<'a> {
        Box::pin(async move {
            let place = self.places.get_mut(replica).ok_or("there is no such replica")?;
            let member = place.member.as_ref().ok_or("it was lost before")?;
            // All replicas work at the same time: a step waits once, not once for each.
            let patience = (own * 1e3 * PATIENCE_SHARES).max(MIN_PATIENCE_MS) - waited * 1e3;
            let reply = member.receive(patience.max(LEAST_PATIENCE_MS) as i32, sum).await;
            if reply.is_ok() {
                place.good += 1;
                if place.good >= GOOD_REPLIES {
                    place.losses = 0;
                }
            } else {
                place.good = 0;
                place.losses += 1;
                place.member = (place.losses <= MAX_LOSSES).then(|| Member::start(&self.program)).flatten();
            }
            reply
        })
    }

    fn remove_lost(&mut self) -> usize {
        let before = self.places.len();
        self.places.retain(|place| place.member.is_some());
        before - self.places.len()
    }
}

/// What the leader knows of a replica.
#[derive(Default)]
struct Known {
    ready: bool,
    /// Its last reply, or why it is lost.
    said: Option<Result<JsValue, String>>,
    /// Wakes the future that waits for the replica.
    wake: Option<Function>,
    /// The buffer, while the leader has it.
    buffer: Option<Float32Array>,
}

impl Known {
    fn hear(&mut self, said: Result<JsValue, String>) {
        self.said = Some(said);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(wake) = self.wake.take() {
            let _ = wake.call0(&JsValue::NULL);
        }
    }
}

struct Member {
    worker: Worker,
    known: Rc<RefCell<Known>>,
    /// The recipe that it has got, and keeps.
    recipe: Option<Arc<Recipe>>,
    _on_message: Closure<dyn Fn(MessageEvent)>,
    _on_error: Closure<dyn Fn(ErrorEvent)>,
}

impl Member {
    fn start(program: &str) -> Option<Self> {
        let report = |done| post(&Envelope { run: 0, event: Event::StartingReplica { done } });
        report(false);
        let worker = Worker::new(&format!("worker-loader.js?worker={program}&build={BUILD}&role=replica"));
        report(true);
        let worker = worker.ok()?;
        let known: Rc<RefCell<Known>> = Rc::default();
        let hears = known.clone();
        let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            let mut known = hears.borrow_mut();
            let said = event.data();
            match said.as_string() {
                // The reason why a replica can't continue; no other message is a string.
                Some(reason) => known.hear(Err(reason)),
                None if said.is_null() => {
                    known.ready = true;
                    known.wake();
                }
                None => known.hear(Ok(said)),
            }
        });
        let fails = known.clone();
        let on_error = Closure::<dyn Fn(ErrorEvent)>::new(move |event: ErrorEvent| {
            event.prevent_default();
            fails.borrow_mut().hear(Err(event.message()));
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        worker.post_message(&wasm_bindgen::module()).ok()?;
        Some(Member { worker, known, recipe: None, _on_message: on_message, _on_error: on_error })
    }

    fn send(&mut self, common: &Common, task: &Task) -> Result<(), JsValue> {
        if !self.known.borrow().ready {
            return Err(JsValue::NULL);
        }
        let mut known = self.known.borrow_mut();
        known.said = None;
        let known_recipe = self.recipe.as_ref().is_some_and(|known| Arc::ptr_eq(known, &common.recipe));
        let recipe = if known_recipe { JsValue::NULL } else { serde_wasm_bindgen::to_value(&*common.recipe)? };
        let count = common.weights.len() as u32;
        // After the gradients, the reply has the shares of the loss and of the accuracy.
        let fits = known.buffer.take().filter(|buffer| buffer.length() == count + 2);
        let buffer = fits.unwrap_or_else(|| Float32Array::new_with_length(count + 2));
        buffer.subarray(0, count).copy_from(&common.weights);
        let message = Array::of3(&recipe, &serde_wasm_bindgen::to_value(task)?, &buffer);
        self.worker.post_message_with_transfer(&message, &Array::of1(&buffer.buffer()))?;
        self.recipe = Some(common.recipe.clone());
        Ok(())
    }

    /// Waits at most `milliseconds` until it is ready or lost. Returns whether it is ready.
    async fn ready(&self, milliseconds: i32) -> bool {
        let waits = |known: &Known| !known.ready && known.said.is_none();
        if waits(&self.known.borrow()) && milliseconds > 0 {
            let _ = within(milliseconds, self.news()).await;
        }
        self.known.borrow().ready
    }

    /// Settles when the replica says something.
    fn news(&self) -> Promise {
        Promise::new(&mut |resolve, _| self.known.borrow_mut().wake = Some(resolve))
    }

    async fn receive(&self, milliseconds: i32, sum: &mut [f32]) -> Result<Reply, String> {
        if self.known.borrow().said.is_none() {
            within(milliseconds, self.news()).await.map_err(|error| error_message(&error))?;
        }
        let said = self.known.borrow_mut().said.take();
        let said = said.unwrap_or_else(|| Err("it sent no reply".into()))?;
        self.reply(&said, sum).map_err(|error| error_message(&error))
    }

    /// Decodes `[seconds, evaluation or null, buffer]`. Without an evaluation, the buffer holds shares, which are added to `sum`.
    fn reply(&self, message: &JsValue, sum: &mut [f32]) -> Result<Reply, JsValue> {
        let seconds = Reflect::get_u32(message, 0)?.as_f64().unwrap_or_default();
        let evaluation = Reflect::get_u32(message, 1)?;
        let buffer: Float32Array = Reflect::get_u32(message, 2)?.dyn_into()?;
        let adding = Instant::now();
        let evaluated = if !evaluation.is_null() {
            Some(serde_wasm_bindgen::from_value(evaluation)?)
        } else if buffer.length() as usize == sum.len() {
            add(&buffer, sum);
            None
        } else {
            return Err("its reply has another length than its task".into());
        };
        self.known.borrow_mut().buffer = Some(buffer);
        Ok(Reply { evaluated, seconds, adding: adding.elapsed().as_secs_f64() })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

/// Turns this worker into a replica: it performs one task at a time and sends the reply.
pub fn serve() {
    let global: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let scope = global.clone();
    let device = Device::flex();
    let recipe = RefCell::default();
    let listener = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        // This runs in the listener itself, not in a spawned future, so that the leader gets an error event if it
        // traps.
        if let Err(error) = answer(&scope, &device, &mut recipe.borrow_mut(), &event.data()) {
            wasm_bindgen::throw_val(error);
        }
    });
    global.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    listener.forget(); // it lives as long as the worker
    let _ = global.post_message(&JsValue::NULL);
}

/// Performs the task in `message`, `[recipe or null, task, buffer]`. Without a recipe, the last one holds.
fn answer(
    global: &DedicatedWorkerGlobalScope,
    device: &Device,
    recipe: &mut Option<Arc<Recipe>>,
    message: &JsValue,
) -> Result<(), JsValue> {
    let new = Reflect::get_u32(message, 0)?;
    if !new.is_null() {
        *recipe = Some(serde_wasm_bindgen::from_value(new)?);
    }
    let recipe = recipe.clone().ok_or("its first task came without a recipe")?;
    let task: Task = serde_wasm_bindgen::from_value(Reflect::get_u32(message, 1)?)?;
    let buffer = Reflect::get_u32(message, 2)?.dyn_into::<Float32Array>()?;
    let weights = Arc::new(buffer.subarray(0, recipe.net.count() as u32).to_vec());
    // On the CPU, every result is available at once.
    let mut result = std::pin::pin!(perform(task, Common { recipe, weights }, device));
    let mut context = task::Context::from_waker(task::Waker::noop());
    let task::Poll::Ready(result) = result.as_mut().poll(&mut context) else {
        return Err("its result was not ready".into());
    };
    let (outcome, seconds) = result.map_err(|error| JsValue::from(error.to_string()))?;
    let evaluation = match outcome {
        Outcome::Trained(shares) => {
            let to = |from: usize, len: usize| buffer.subarray(from as u32, (from + len) as u32);
            shares.for_each(|from, piece| to(from, piece.len()).copy_from(piece));
            JsValue::NULL
        }
        Outcome::Evaluated(evaluated) => serde_wasm_bindgen::to_value(&evaluated)?,
    };
    let reply = Array::of3(&seconds.into(), &evaluation, &buffer);
    global.post_message_with_transfer(&reply, &Array::of1(&buffer.buffer()))
}

/// Adds `from` to `sum`, which has the same length.
fn add(from: &Float32Array, sum: &mut [f32]) {
    let mut more = vec![0.0; PIECE.min(sum.len())];
    let mut at = 0;
    for sum in sum.chunks_mut(PIECE) {
        let (more, end) = (&mut more[..sum.len()], at + sum.len() as u32);
        from.subarray(at, end).copy_to(more);
        sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += *more);
        at = end;
    }
}
