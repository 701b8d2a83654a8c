//! Replicas as threads of this process, for tests and native runs.

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use burn::tensor::Device;
use web_time::Instant;

use super::{Common, Outcome, PendingReply, Replicas, Reply, Task, perform};

struct Member {
    tasks: Sender<(Task, Common)>,
    replies: Receiver<Result<(Outcome, f64), String>>,
}

/// Replicas as threads of this process, for tests and native runs.
pub struct Threads {
    device: Device,
    /// The largest number of workers, the leader included.
    most: usize,
    members: Vec<Member>,
    common: Option<Common>,
}

impl Threads {
    /// Starts with no replicas; new ones compute on `device`.
    pub fn new(device: Device) -> Self {
        let cores = thread::available_parallelism().map_or(1, |count| count.get());
        Threads::with_most(device, cores)
    }

    /// The same, as if the machine had room for `most` workers.
    pub fn with_most(device: Device, most: usize) -> Self {
        Threads { device, most, members: Vec::new(), common: None }
    }
}

impl Replicas for Threads {
    fn max_workers(&self) -> usize {
        self.most
    }

    fn resize(&mut self, replicas: usize) {
        self.members.truncate(replicas);
        while self.members.len() < replicas {
            let (tasks, received) = channel::<(Task, Common)>();
            let (finished, replies) = channel();
            let device = self.device.clone();
            thread::spawn(move || {
                // Ends when the leader drops its end of either channel.
                for (task, common) in received {
                    let reply = pollster::block_on(perform(task, common, &device)).map_err(|error| error.to_string());
                    if finished.send(reply).is_err() {
                        break;
                    }
                }
            });
            self.members.push(Member { tasks, replies });
        }
    }

    fn len(&self) -> usize {
        self.members.len()
    }

    fn publish(&mut self, common: Common) {
        self.common = Some(common);
    }

    fn send(&mut self, replica: usize, task: Task) -> bool {
        let (member, common) = (self.members.get(replica), self.common.clone());
        member.zip(common).is_some_and(|(member, common)| member.tasks.send((task, common)).is_ok())
    }

    fn receive<'a>(&'a mut self, replica: usize, _: f64, _: f64, sum: &'a mut [f32]) -> PendingReply<'a> {
        let Some(member) = self.members.get(replica) else {
            return Box::pin(std::future::ready(Err("there is no such replica".into())));
        };
        let received = member.replies.recv().unwrap_or_else(|_| Err("its thread ended".into()));
        let reply = received.map(|(outcome, seconds)| {
            let adding = Instant::now();
            let evaluated = match outcome {
                Outcome::Trained(shares) => {
                    shares.add_to(sum);
                    None
                }
                Outcome::Evaluated(evaluated) => Some(evaluated),
            };
            Reply { evaluated, seconds, adding: adding.elapsed().as_secs_f64() }
        });
        Box::pin(std::future::ready(reply))
    }
}
