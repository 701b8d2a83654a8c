//! Replicas as workers of the leading worker: each a wasm instance of its own from the module that is compiled already.
//! Weights go and gradients come back in one buffer that changes hands, so that no step allocates another.

use std::{cell::RefCell, rc::Rc, task};

use burn::tensor::Device;
use js_sys::{Array, Float32Array, Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{DedicatedWorkerGlobalScope, ErrorEvent, MessageEvent, Worker};

use super::tasks::{within, words};
use crate::{
    BUILD,
    parameters::PARAMETERS,
    replicas::{Crew, Outcome, PendingReply, Reply, Task, perform},
};

/// Replicas that may be lost in a row before no more are started in their place.
const MOST_LOSSES: u32 = 5;
/// The shortest and, in terms of what the leader's own share took, the longest that a reply may take.
const PATIENCE_MS: f64 = 5_000.0;
const PATIENCE_SHARES: f64 = 30.0;

/// The replicas of this worker.
pub struct Workers {
    /// Name of the program that they run.
    program: &'static str,
    members: Vec<Member>,
    losses: u32,
}

impl Workers {
    /// None yet; they will run `program`.
    pub fn new(program: &'static str) -> Self {
        Workers { program, members: Vec::new(), losses: 0 }
    }

    fn start(&self) -> Option<Member> {
        (self.losses < MOST_LOSSES).then(|| Member::start(self.program)).flatten()
    }
}

impl Crew for Workers {
    fn most_useful(&self) -> usize {
        let global: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
        (global.navigator().hardware_concurrency() as usize).clamp(1, 8)
    }

    fn muster(&mut self, replicas: usize) {
        self.losses = 0;
        self.members.truncate(replicas);
        while self.members.len() < replicas {
            let Some(member) = self.start() else { break };
            self.members.push(member);
        }
    }

    fn len(&self) -> usize {
        self.members.len()
    }

    fn send(&mut self, replica: usize, task: Task) -> bool {
        self.members.get(replica).is_some_and(|member| member.send(&task).is_ok())
    }

    fn receive(&mut self, replica: usize, own: f64) -> PendingReply<'_> {
        Box::pin(async move {
            let Some(member) = self.members.get(replica) else { return Err("there is no such replica".into()) };
            let reply = member.receive((own * 1e3 * PATIENCE_SHARES).max(PATIENCE_MS) as i32).await;
            match &reply {
                Ok(_) => self.losses = 0,
                Err(_) => {
                    self.losses += 1;
                    if let Some(fresh) = self.start() {
                        self.members[replica] = fresh;
                    }
                }
            }
            reply
        })
    }
}

/// What is known of a replica.
#[derive(Default)]
struct Known {
    ready: bool,
    /// What it said last, or why it is lost.
    said: Option<Result<JsValue, String>>,
    /// Wakes whoever waits for it.
    wake: Option<Function>,
    /// The buffer, while it is here.
    buffer: Option<Float32Array>,
}

impl Known {
    fn hear(&mut self, said: Result<JsValue, String>) {
        self.said = Some(said);
        if let Some(wake) = self.wake.take() {
            let _ = wake.call0(&JsValue::NULL);
        }
    }
}

struct Member {
    worker: Worker,
    known: Rc<RefCell<Known>>,
    _on_message: Closure<dyn Fn(MessageEvent)>,
    _on_error: Closure<dyn Fn(ErrorEvent)>,
}

impl Member {
    fn start(program: &str) -> Option<Self> {
        let worker = Worker::new(&format!("worker-loader.js?worker={program}&build={BUILD}&role=replica")).ok()?;
        let known: Rc<RefCell<Known>> = Rc::default();
        let hears = known.clone();
        let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            let mut known = hears.borrow_mut();
            let said = event.data();
            match said.as_string() {
                // The words of a replica that can't go on; nothing else is a string.
                Some(reason) => known.hear(Err(reason)),
                None if said.is_null() => known.ready = true,
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
        Some(Member { worker, known, _on_message: on_message, _on_error: on_error })
    }

    fn send(&self, task: &Task) -> Result<(), JsValue> {
        if !self.known.borrow().ready {
            return Err(JsValue::NULL);
        }
        let mut known = self.known.borrow_mut();
        known.said = None;
        let buffer = known.buffer.take().unwrap_or_else(|| Float32Array::new_with_length(PARAMETERS as u32 + 2));
        buffer.subarray(0, PARAMETERS as u32).copy_from(&task.weights);
        let message = Array::of2(&serde_wasm_bindgen::to_value(task)?, &buffer);
        self.worker.post_message_with_transfer(&message, &Array::of1(&buffer.buffer()))
    }

    async fn receive(&self, milliseconds: i32) -> Result<Reply, String> {
        if self.known.borrow().said.is_none() {
            let said = Promise::new(&mut |resolve, _| self.known.borrow_mut().wake = Some(resolve));
            within(milliseconds, said).await.map_err(|error| words(&error))?;
        }
        let said = self.known.borrow_mut().said.take();
        let said = said.unwrap_or_else(|| Err("it woke without a word".into()))?;
        self.reply(&said).map_err(|error| words(&error))
    }

    /// From `[seconds, evaluation or nothing, buffer]`: without an evaluation the buffer holds gradients.
    fn reply(&self, message: &JsValue) -> Result<Reply, JsValue> {
        let seconds = Reflect::get_u32(message, 0)?.as_f64().unwrap_or_default();
        let evaluation = Reflect::get_u32(message, 1)?;
        let buffer = Reflect::get_u32(message, 2)?.dyn_into::<Float32Array>()?;
        let outcome = if evaluation.is_null() {
            Outcome::Trained(buffer.to_vec())
        } else {
            Outcome::Evaluated(serde_wasm_bindgen::from_value(evaluation)?)
        };
        self.known.borrow_mut().buffer = Some(buffer);
        Ok(Reply { outcome, seconds })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

/// Becomes a replica: does what it is sent, one task at a time, and says so.
pub fn serve() {
    let global: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let scope = global.clone();
    let device = Device::flex();
    let listener = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        // Not a task of its own in the queue: so a trap here is an error that the leader's worker hears of.
        if let Err(error) = answer(&scope, &device, &event.data()) {
            wasm_bindgen::throw_val(error);
        }
    });
    global.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    listener.forget(); // it lives as long as the worker
    let _ = global.post_message(&JsValue::NULL);
}

fn answer(global: &DedicatedWorkerGlobalScope, device: &Device, message: &JsValue) -> Result<(), JsValue> {
    let mut task: Task = serde_wasm_bindgen::from_value(Reflect::get_u32(message, 0)?)?;
    let buffer = Reflect::get_u32(message, 1)?.dyn_into::<Float32Array>()?;
    task.weights = buffer.subarray(0, PARAMETERS as u32).to_vec().into();
    // On the CPU every result is there at once.
    let mut reply = std::pin::pin!(perform(task, device));
    let mut context = task::Context::from_waker(task::Waker::noop());
    let task::Poll::Ready(reply) = reply.as_mut().poll(&mut context) else { return Err("it has to wait".into()) };
    let reply = reply.map_err(|error| JsValue::from(error.to_string()))?;
    let seconds = JsValue::from(reply.seconds);
    let evaluation = match reply.outcome {
        Outcome::Trained(shares) => {
            buffer.copy_from(&shares);
            JsValue::NULL
        }
        Outcome::Evaluated(evaluated) => serde_wasm_bindgen::to_value(&evaluated)?,
    };
    global.post_message_with_transfer(&Array::of3(&seconds, &evaluation, &buffer), &Array::of1(&buffer.buffer()))
}
