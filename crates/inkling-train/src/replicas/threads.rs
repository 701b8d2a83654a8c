//! Replicas as threads of this process, for tests and native runs.

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use burn::tensor::Device;

use super::{PendingReply, Replicas, Reply, Task, perform};

struct Member {
    tasks: Sender<Task>,
    replies: Receiver<Result<Reply, String>>,
}

/// Replicas as threads of this process, for tests and native runs.
pub struct Threads {
    device: Device,
    members: Vec<Member>,
}

impl Threads {
    /// Starts with no replicas; new ones compute on `device`.
    pub fn new(device: Device) -> Self {
        Threads { device, members: Vec::new() }
    }
}

impl Replicas for Threads {
    fn max_workers(&self) -> usize {
        thread::available_parallelism().map_or(1, |count| count.get())
    }

    fn resize(&mut self, replicas: usize) {
        self.members.truncate(replicas);
        while self.members.len() < replicas {
            let (tasks, received) = channel::<Task>();
            let (finished, replies) = channel();
            let device = self.device.clone();
            thread::spawn(move || {
                // Ends when the leader drops its end of either channel.
                for task in received {
                    let reply = pollster::block_on(perform(task, &device)).map_err(|error| error.to_string());
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

    fn send(&mut self, replica: usize, task: Task) -> bool {
        self.members.get(replica).is_some_and(|member| member.tasks.send(task).is_ok())
    }

    fn receive(&mut self, replica: usize, _: f64, _: f64) -> PendingReply<'_> {
        let reply = match self.members.get(replica) {
            Some(member) => member.replies.recv().unwrap_or_else(|_| Err("its thread ended".into())),
            None => Err("there is no such replica".into()),
        };
        Box::pin(std::future::ready(reply))
    }
}
