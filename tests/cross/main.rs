//! Every writer language × every reader language, through one named object, with real processes.
//!
//! There is one small program for each language, an *actor*: `actor.c`, `actor.py`, `actor.rs`. They do the same: a command
//! comes as a line on standard input, `begun` is the first answer to each, and when it is done another line says what came
//! of it: `ok` with what there is to tell, or `error`. So a scenario is written once, here, and runs for all nine pairs.
//!
//! ```text
//! test → actor                                         actor → test
//! open NAME [create= capacity= max_messages=           ok new= capacity= messages=
//!       max_participants= mode=]
//! send sender= index= length= type= [timeout=]         ok
//! recv sender= index= [select= except= buffer= cut=    ok type= length= whole= [sequence= all=]
//!       timeout=]
//! peek sender= index= position=                        ok type= length= whole= [sequence= redelivered=]
//! lease sender= index= [select= except= timeout=]      ok type= length= whole= sequence= redelivered=
//! ack, release                                         ok
//! reserve length= [timeout=]                           ok
//! commit sender= index= length= type= [timeout=]       ok
//! drop                                                 ok
//! trim                                                 ok bytes=
//! stat                                                 ok capacity= max_messages= …
//! stream sender= first= count= lengths=12,… [marks=]   ok
//! collect [marks=]                                     ok SEQUENCE:TYPE:SENDER:INDEX:LENGTH …
//! send-many sender= index= type= lengths= [timeout=]    ok sent=
//! send-pieces sender= index= length= type= [timeout=]  ok
//! stream-batches … batch=                              ok
//! collect-batches batch= [marks=]                      ok as collect
//! close, unlink NAME                                   ok
//! open-segment NAME [create= length= mode= read_only=] ok new= length=
//! write offset= sender= index= length=                 ok
//! read offset= sender= index= length=                  ok whole=
//! close-segment, unlink-segment NAME                   ok
//! place KIND name=…, or offset= of the segment         ok
//!       [parties=]
//! lock [timeout=], unlock                              ok died=
//! read-lock, write-lock [timeout=], unlock-rwlock      ok died=
//! await-change [timeout=]                              ok died=
//! tell-one, tell-all                                   ok
//! meet [timeout=]                                      ok rank=
//! set, clear, await [timeout=]                         ok
//! count at= times=                                     ok died=
//! open-set NAME [create= semaphores= values=1,0,…      ok new= semaphores= max_value=
//!       max_value= max_participants= mode=]
//! operate ops=0:-1,1:3un,… [timeout=]                  ok
//! semaphore index=                                     ok value= pid= to_grow= for_zero=
//! values                                               ok 0=3 1=0 …
//! set-value index= value=, set-values values=          ok
//! stat-set                                             ok semaphores= max_value= …
//! count-alone ops=… ops_after=… at= rounds=            ok
//! close-set, unlink-set NAME                           ok
//! any                                                  error errno= length= SENTENCE
//! ```
//!
//! An actor has one queue, one segment and one set of semaphores at a time; opening closes the one before. So with a lease, which is given back, and a
//! reservation. Times are in milliseconds, and none means
//! for ever. What is sent, or written, is the payload that belongs to `sender`, `index` and `length` (see
//! [`madang_tests::payload`], cut off where it is shorter than its head); `whole` says whether what came is exactly that.
//!
//! `recv` with a `buffer` of that many bytes receives into it, otherwise in the way that is usual in the language; with `cut=1` the
//! message may be longer, namely `all`. `select` is as msgrcv's msgtyp, 0 if it isn't there; with `except=1` it is the type that is not
//! wanted. `commit` writes the payload to the reservation, and sends it; if it fails the reservation stays. `stream`
//! sends many messages, of the listed lengths in turn and of type sender + 1; `collect` receives until an empty message
//! comes, and tells of each. With `marks` both add 1 to the byte of the segment at marks + index when they are through with a
//! message: so it is known how far somebody came who was killed. Both are there in batches, too, of so many messages at most;
//! in Python `collect-batches` counts the sequence by itself.
//!
//! An actor has one mutex, rwlock, condition, barrier and event at a time. `count` adds 1 to the 64-bit number that lies at `at` in the
//! segment so often, each time with the mutex; how often its owner had died before is `died`.
//! An operation is `INDEX:DELTA`, with `u` if it is to be undone and `n` if it doesn't wait. `count-alone` does the first operations, adds 1 to
//! the byte of the segment at `at`, and to that at `at` + 1 when it has become 0, as one does who is alone there, and does the second
//! operations; so many rounds.

mod company;

mod kernel {
    mod fifo;
    mod file;
    mod pipe;
    mod posix;
    mod signal;
    mod socket;
    mod sysv;
}

mod shared {
    mod batch;
    mod kill;
    mod lease;
    mod queue;
    mod refusals;
    mod segment;
    mod select;
    mod semaphore_set;
    mod stream;
    mod sync;
}
