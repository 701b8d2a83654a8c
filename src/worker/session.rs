//! The worker's side of the link: a session, driven by the page's messages.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    panic,
    rc::Rc,
};

use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, UrlSearchParams};

#[cfg(feature = "remote")]
use super::server;
use super::{
    download,
    macrotask::Macrotask,
    post::{panic_message, post},
    replicas::{self, ReplicaWorkers},
};
use crate::{BUILD, tasks::error_message};
#[cfg(feature = "remote")]
use inkling_core::remote::ServerLink;
use inkling_core::{
    data::Dataset,
    protocol::{Command, Envelope, Event, RunId},
};
#[cfg(any(feature = "ndarray", feature = "remote", feature = "webgpu"))]
use inkling_train::replicas::NoReplicas;
use inkling_train::{
    device::{Backend, BackendKind, DeviceError},
    session::Session,
};

thread_local! {
    /// The run that the page requested last, for events that the session itself does not send.
    static RUN: Cell<RunId> = const { Cell::new(0) };
}

/// Starts a session on the server whose link is the worker's name, where no address that is sent to a host has it. Returns at once.
#[cfg(feature = "remote")]
pub fn start_on_server() {
    let global: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    match global.name().parse::<ServerLink>() {
        Ok(link) => start(BackendKind::Remote(link)),
        Err(error) => {
            post(&Envelope { run: 0, event: Event::Unavailable { reason: error.to_string(), faulty: false } });
        }
    }
}

/// Starts a session on `kind` that listens to the page, or a replica if the worker's URL says so. Returns at once.
pub fn start(kind: BackendKind) {
    if query("role").as_deref() == Some("replica") {
        panic::set_hook(Box::new(|info| {
            console_error_panic_hook::hook(info);
            let global: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
            let _ = global.post_message(&JsValue::from(panic_message(info)));
        }));
        return replicas::serve();
    }
    panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        // After a panic, nothing here can be trusted: the page terminates this worker and starts a new one.
        post(&Envelope { run: RUN.get(), event: Event::Unavailable { reason: panic_message(info), faulty: true } });
    }));
    spawn_local(async move {
        if let Err(error) = serve(kind).await {
            post(&Envelope {
                run: RUN.get(),
                event: Event::Unavailable { reason: error_message(&error), faulty: false },
            });
        }
    });
}

/// A query parameter of the worker's URL.
fn query(name: &str) -> Option<String> {
    let global: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    UrlSearchParams::new_with_str(&global.location().search()).ok()?.get(name)
}

/// Opens the backend. Runs the self-test if it is a GPU or a server, unless the page knows that it has passed before.
async fn tested(kind: BackendKind) -> Result<Backend, DeviceError> {
    #[cfg(feature = "remote")]
    if let BackendKind::Remote(link) = &kind {
        server::check(link).await?;
    }
    #[cfg_attr(not(any(feature = "remote", feature = "webgpu")), allow(unused_mut))]
    let mut backend = Backend::open(kind.clone()).await?;
    #[cfg(feature = "remote")]
    if let BackendKind::Remote(link) = kind {
        server::watch(link);
    }
    #[cfg(any(feature = "remote", feature = "webgpu"))]
    if backend.is_apart() && query("checked").is_none() {
        let (largest_difference, of) = backend.self_test(&inkling_core::network::Network::default()).await?;
        let (largest_difference, tolerance) =
            (f64::from(largest_difference), f64::from(inkling_train::device::TOLERANCE));
        let check = inkling_core::protocol::Check { largest_difference, of, tolerance, earlier: false };
        backend.info.check = Some(check);
    }
    Ok(backend)
}

/// A message for the session.
enum Message {
    Command(Command),
    Data(Result<(Dataset, String), String>),
    Garbled(String),
}

async fn serve(kind: BackendKind) -> Result<(), JsValue> {
    let inbox = Inbox::listen()?;
    let macrotask = Macrotask::new()?;
    // The page knows that the run will need MNIST: download it while the backend is tested.
    let early = query("early").is_some();
    if early {
        fetch_mnist(&inbox);
    }
    let backend = match tested(kind.clone()).await {
        Ok(backend) => backend,
        Err(error) => {
            let event = Event::Unavailable { reason: error.to_string(), faulty: error.is_fault() };
            post(&Envelope { run: 0, event });
            return Ok(());
        }
    };
    let info = backend.info.clone();
    // On the CPU, replicas share the batch. burn-ndarray is only there for comparison, and there is only one GPU.
    let emit = |envelope| post(&envelope);
    let mut session = match kind {
        BackendKind::Cpu => Session::new(backend, ReplicaWorkers::new(query("worker").unwrap_or_default()), emit),
        #[cfg(any(feature = "ndarray", feature = "remote", feature = "webgpu"))]
        _ => Session::new(backend, NoReplicas, emit),
    };
    if early {
        session.expect_mnist();
    }
    post(&Envelope { run: 0, event: Event::Ready { backend: info, build: BUILD.into() } });
    loop {
        while let Some(message) = inbox.next() {
            match message {
                Message::Command(command) => {
                    if let Command::Start { run, .. } | Command::Train { run, .. } | Command::Load { run, .. } = command
                    {
                        RUN.set(run);
                    }
                    session.command(command);
                }
                Message::Data(data) => session.provide(data),
                Message::Garbled(error) => {
                    post(&Envelope {
                        run: RUN.get(),
                        event: Event::Warning(format!("A message could not be decoded: {error}")),
                    });
                }
            }
        }
        if session.wants_mnist() {
            fetch_mnist(&inbox);
        }
        if session.work().await {
            macrotask.pass().await?;
        } else {
            inbox.arrival().await?;
        }
    }
}

/// Downloads MNIST and puts it into `inbox`, or the reason why that failed.
fn fetch_mnist(inbox: &Inbox) {
    let inbox = inbox.clone();
    spawn_local(async move {
        // Report to the run that is waiting now, which may not be the one that asked.
        let report = |loading| post(&Envelope { run: RUN.get(), event: Event::Loading(loading) });
        inbox.push(Message::Data(download::mnist(report).await));
    });
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = addEventListener)]
    fn add_event_listener(kind: &str, listener: &js_sys::Function);
}

/// Messages that have arrived but have not been handled yet.
#[derive(Clone)]
struct Inbox {
    queue: Rc<RefCell<VecDeque<Message>>>,
    /// Wakes the loop if it is waiting.
    wake: Rc<RefCell<Option<js_sys::Function>>>,
}

impl Inbox {
    fn listen() -> Result<Self, JsValue> {
        let inbox = Inbox { queue: Rc::default(), wake: Rc::default() };
        let receiver = inbox.clone();
        let listener = wasm_bindgen::closure::Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            receiver.push(match serde_wasm_bindgen::from_value(event.data()) {
                Ok(command) => Message::Command(command),
                Err(error) => Message::Garbled(error.to_string()),
            });
        });
        add_event_listener("message", listener.as_ref().unchecked_ref());
        listener.forget(); // it lives as long as the worker
        Ok(inbox)
    }

    fn push(&self, message: Message) {
        self.queue.borrow_mut().push_back(message);
        if let Some(wake) = self.wake.borrow_mut().take() {
            let _ = wake.call0(&JsValue::NULL);
        }
    }

    fn next(&self) -> Option<Message> {
        self.queue.borrow_mut().pop_front()
    }

    /// Waits until there is a message.
    async fn arrival(&self) -> Result<(), JsValue> {
        if !self.queue.borrow().is_empty() {
            return Ok(());
        }
        let arrival = js_sys::Promise::new(&mut |resolve, _| {
            self.wake.borrow_mut().replace(resolve);
        });
        JsFuture::from(arrival).await.map(|_| ())
    }
}
