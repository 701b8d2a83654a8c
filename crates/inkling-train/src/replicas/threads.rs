//! Replicas as threads of this process, for tests and native runs.

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use burn::tensor::Device;

use super::{Common, Outcome, PendingReply, Replicas, Reply, Shares, Task, perform};

struct Member {
    tasks: Sender<(Task, Common)>,
    replies: Receiver<Result<(Outcome, f64), String>>,
    /// The shares of its last training task, until the next one.
    shares: Shares,
}

/// Replicas as threads of this process, for tests and native runs.
pub struct Threads {
    device: Device,
    members: Vec<Member>,
    common: Option<Common>,
}

impl Threads {
    /// Starts with no replicas; new ones compute on `device`.
    pub fn new(device: Device) -> Self {
        Threads { device, members: Vec::new(), common: None }
    }
}

impl Replicas for Threads {
    fn max_workers(&self) -> usize {
        thread::available_parallelism().map_or(1, |count| count.get())
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
            self.members.push(Member { tasks, replies, shares: Shares::default() });
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

    fn receive(&mut self, replica: usize, _: f64, _: f64) -> PendingReply<'_> {
        let reply = match self.members.get_mut(replica) {
            Some(member) => match member.replies.recv() {
                Ok(Ok((Outcome::Trained(shares), seconds))) => {
                    member.shares = shares;
                    Ok(Reply { evaluated: None, seconds })
                }
                Ok(Ok((Outcome::Evaluated(evaluated), seconds))) => Ok(Reply { evaluated: Some(evaluated), seconds }),
                Ok(Err(reason)) => Err(reason),
                Err(_) => Err("its thread ended".into()),
            },
            None => Err("there is no such replica".into()),
        };
        Box::pin(std::future::ready(reply))
    }

    fn add_shares(&mut self, replica: usize, sum: &mut [f32]) {
        if let Some(member) = self.members.get(replica) {
            member.shares.add_to(sum);
        }
    }
}
