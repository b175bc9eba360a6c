//! The example `queues.rs` at work: 1,000 tasks on 100 queues and a socket.

#[allow(unreachable_pub, reason = "a file to copy")]
mod queues;

use std::time::{Duration, Instant};

use madang::{Queue, Select};
use madang_tests::{Name, Random, fork, origin, payload};
use queues::{AsyncQueue, Queues};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(60);

fn runtime(threads: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap()
}

#[test]
fn smoke() {
    let name = Name::new("tokio-smoke");
    runtime(1).block_on(async {
        let queues = Queues::new().unwrap();
        let queue = queues.add(Queue::options().capacity(100).open(&name).unwrap()).unwrap();
        let (there, back) = (queue.clone(), queue.clone());
        let receiving = tokio::spawn(async move { there.recv(Select::Any).await.unwrap().data });
        back.send(1, b"tea").await.unwrap();
        assert_eq!(timeout(LIMIT, receiving).await.unwrap().unwrap(), b"tea");
        queue.send(1, &[1; 80]).await.unwrap();
        let full = queue.clone();
        let sending = tokio::spawn(async move { full.send(1, &[2; 80]).await });
        assert_eq!(queue.recv(Select::Any).await.unwrap().data, [1; 80]);
        timeout(LIMIT, sending).await.unwrap().unwrap().unwrap();
        assert_eq!(queue.recv(Select::Any).await.unwrap().data, [2; 80]);
    });
}

/// Each message arrives once, though tasks are cancelled all the time; and the socket is served meanwhile.
#[test]
fn a_thousand_tasks() {
    const SENDERS: u32 = 3;
    const MESSAGES: u64 = 5000;
    let names: Vec<_> = (0..100).map(|_| Name::new("tokio-many")).collect();
    let children: Vec<_> = (0..SENDERS)
        .map(|sender| {
            fork(|| {
                let queues: Vec<_> = names.iter().map(|name| Queue::open(name).unwrap()).collect();
                let mut random = Random(sender.into());
                for index in 0..MESSAGES {
                    queues[random.below(100) as usize].send(1, &payload(sender, index, 20)).unwrap();
                }
                0
            })
        })
        .collect();
    let work = async {
        let all_queues = Queues::new().unwrap();
        let queues: Vec<_> = names.iter().map(|name| all_queues.add(Queue::open(name).unwrap()).unwrap()).collect();
        let (told, mut all) = mpsc::unbounded_channel();
        let receive = |queue: &AsyncQueue| {
            let (queue, told) = (queue.clone(), told.clone());
            tokio::spawn(async move {
                loop {
                    // Nothing is awaited in between.
                    let message = queue.recv(Select::Any).await.unwrap();
                    told.send(origin(&message.data)).unwrap();
                }
            })
        };
        let mut tasks: Vec<_> = (0..1000).map(|task| receive(&queues[task / 10])).collect();
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        tokio::spawn(async move {
            while let Ok(byte) = theirs.read_u8().await {
                theirs.write_u8(byte).await.unwrap();
            }
        });
        let mut random = Random(9);
        let (mut received, mut longest) = (Vec::new(), Duration::ZERO);
        while received.len() < SENDERS as usize * MESSAGES as usize {
            let begun = Instant::now();
            ours.write_u8(1).await.unwrap();
            ours.read_u8().await.unwrap();
            longest = longest.max(begun.elapsed());
            for _ in 0..20 {
                let victim = random.below(1000) as usize;
                tasks[victim].abort();
                tasks[victim] = receive(&queues[victim / 10]);
            }
            while let Ok(message) = all.try_recv() {
                received.push(message);
            }
        }
        (received, longest)
    };
    let received = runtime(2).block_on(async { timeout(LIMIT, work).await });
    let (mut received, longest) = received.expect("in time");
    received.sort_unstable();
    let expected = (0..SENDERS).flat_map(|sender| (0..MESSAGES).map(move |index| (sender, index)));
    assert!(received.into_iter().eq(expected), "each message once");
    assert!(longest < LIMIT / 10, "the socket was served after {longest:?} only");
    children.into_iter().for_each(madang_tests::Child::succeeds);
}
