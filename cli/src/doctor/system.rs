//! What of the system's settings matters: systemd's RemoveIPC, sysctls, this process's limits, the container's memory.

use std::collections::BTreeMap;
use std::fs;

use super::{Finding, Machine};
use crate::objects::{SHM, directory};
use crate::text::{size, user};

/// From here on user ids belong to people, and to services that look like people (`UID_MIN` of login.defs(5)).
const FIRST_USER: u32 = 1000;
/// Fewer open files than this are soon used up: each handle of a queue keeps one.
const FEW_FILES: u64 = 256;
/// A queue of 1 MiB maps this much address space, and its file has about as much.
const USUAL_QUEUE: u64 = 16 << 20;

/// The least that a sysctl should be, which is what the kernel starts with; who it matters to; how it is set.
const SYSCTLS: [(&str, u64, &str); 4] = [
    (
        "fs.inotify.max_user_instances",
        128,
        "A descriptor to wait on, for epoll and event loops, takes one: it fails with EMFILE.",
    ),
    ("kernel.msgmax", 8192, "System V messages of the kernel's can't be longer. (Madang's have no such limit.)"),
    ("kernel.msgmnb", 16_384, "System V queues of the kernel's hold no more bytes. (Madang's have no such limit.)"),
    ("kernel.shmmax", 64 << 20, "System V segments of the kernel's can't be larger. (Madang's have no such limit.)"),
];

pub(super) fn check(machine: &Machine) -> Vec<Finding> {
    let user = rustix::process::geteuid().as_raw();
    let mut findings = Vec::new();
    findings.extend(remove_ipc(machine, user));
    findings.extend(SYSCTLS.iter().filter_map(|&(name, least, why)| sysctl(machine, name, least, why)));
    findings.extend(limits(machine));
    findings.extend(memory(machine));
    findings
}

/// Whether systemd removes a user's objects when he logs out.
fn remove_ipc(machine: &Machine, uid: u32) -> Option<Finding> {
    // As sd_booted(3) has it.
    if !machine.exists("/run/systemd/system") {
        return None;
    }
    let (setting, file) = logind_setting(machine);
    if !setting.unwrap_or(true) {
        return None;
    }
    let said = match (setting, file) {
        (Some(_), Some(file)) => format!("RemoveIPC=yes in {file}"),
        _ => "RemoveIPC is not set, and systemd's default is yes (some distributions' is no)".to_owned(),
    };
    let why = "When a user's last session ends, systemd removes all that he owns in /dev/shm, also while programs of his go on: \
               they lose each other, and what queues held is gone. Users below uid 1000 are spared.";
    let remedy = "printf '[Login]\\nRemoveIPC=no\\n' > /etc/systemd/logind.conf.d/madang.conf && systemctl restart systemd-logind\n\
                  or, for one user: loginctl enable-linger USER\n\
                  or run the programs as a system service with a system user";
    let name = user(uid);
    let is_hit =
        uid >= FIRST_USER && !machine.exists(format!("/var/lib/systemd/linger/{name}")) && directory().starts_with(SHM);
    Some(if is_hit {
        Finding::problem("remove-ipc", format!("{said}, and {name} (uid {uid}) is no system user"), why, remedy)
    } else {
        Finding::note("remove-ipc", said, why, remedy)
    })
}

/// What the files of logind.conf(5) say of RemoveIPC, and which: drop-ins of all directories in the order of their names, after the main
/// file; of two with the same name that in the directory named first here.
fn logind_setting(machine: &Machine) -> (Option<bool>, Option<String>) {
    const DIRECTORIES: [&str; 4] = ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];
    let main = DIRECTORIES.iter().map(|directory| format!("{directory}/logind.conf")).find(|file| machine.exists(file));
    let mut drop_ins = BTreeMap::new();
    for directory in DIRECTORIES {
        let directory = format!("{directory}/logind.conf.d");
        let entries = fs::read_dir(machine.path(&directory)).into_iter().flatten().flatten();
        for name in
            entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name.ends_with(".conf"))
        {
            let file = format!("{directory}/{name}");
            drop_ins.entry(name).or_insert(file);
        }
    }
    let mut found = (None, None);
    for file in main.into_iter().chain(drop_ins.into_values()) {
        if let Some(setting) = machine.read(&file).as_deref().and_then(remove_ipc_in) {
            found = (setting, setting.map(|_| file));
        }
    }
    found
}

/// What a file sets RemoveIPC to, if it does; to nothing is the default again.
fn remove_ipc_in(text: &str) -> Option<Option<bool>> {
    let mut section = "";
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if let Some((key, value)) = line.split_once('=')
            && section == "[Login]"
            && key.trim() == "RemoveIPC"
        {
            found = Some(match &*value.trim().to_lowercase() {
                "" => None,
                "no" | "n" | "false" | "f" | "off" | "0" => Some(false),
                _ => Some(true),
            });
        }
    }
    found
}

fn sysctl(machine: &Machine, name: &str, least: u64, why: &str) -> Option<Finding> {
    let value = machine.number(&format!("/proc/sys/{}", name.replace('.', "/")))?;
    (value < least).then(|| {
        let what = format!("{name} is {value}, less than the kernel's own default, {least}");
        Finding::note("sysctl", what, why, format!("sysctl -w {name}={least}"))
    })
}

/// What this process may not exceed, and so what is started beside it from the same shell.
fn limits(machine: &Machine) -> Vec<Finding> {
    let limits = machine.read("/proc/self/limits").unwrap_or_default();
    let soft = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let mut findings = Vec::new();
    if let Some(files) = soft("Max open files").filter(|&files| files < FEW_FILES) {
        findings.push(Finding::problem(
            "limit-files",
            format!("A process may have only {files} open files (ulimit -n)"),
            "Each open queue keeps one; opening another fails (EMFILE).",
            format!("ulimit -n {}", 4 * FEW_FILES),
        ));
    }
    if let Some(bytes) = soft("Max address space").filter(|&bytes| bytes < 64 * USUAL_QUEUE) {
        findings.push(Finding::problem(
            "limit-address-space",
            format!("A process may map only {} (ulimit -v)", size(bytes)),
            "Each open queue maps several times its capacity, whatever it holds; opening another fails (ENOMEM).",
            "ulimit -v unlimited",
        ));
    }
    if let Some(bytes) = soft("Max file size").filter(|&bytes| bytes < 64 * USUAL_QUEUE) {
        findings.push(Finding::problem(
            "limit-file-size",
            format!("A process may make files of only {} (ulimit -f)", size(bytes)),
            "A queue's file has several times its capacity, though it takes no memory before it is used; creating a larger one \
             kills the process (SIGXFSZ).",
            "ulimit -f unlimited",
        ));
    }
    findings
}

/// Whether the container has less memory than its /dev/shm may hold.
fn memory(machine: &Machine) -> Option<Finding> {
    let limit = machine.number("/sys/fs/cgroup/memory.max")?;
    let found = rustix::fs::statfs(machine.path(SHM)).ok()?;
    let total = found.f_blocks.saturating_mul(found.f_bsize as u64);
    (limit < total).then(|| {
        Finding::note(
            "memory-limit",
            format!("This container may use {} of memory, its /dev/shm hold {}", size(limit), size(total)),
            "What lies in /dev/shm counts as memory: before it is full, a process is killed.",
            format!("start it with --shm-size below {}, or with more memory", size(limit)),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_in_its_section_counts() {
        for (text, said) in [
            ("", None),
            ("[Login]\n#RemoveIPC=no\n", None),
            ("[Login]\nRemoveIPC=no\n", Some(Some(false))),
            ("[Login]\n RemoveIPC = Off \n", Some(Some(false))),
            ("[Login]\nRemoveIPC=no\nRemoveIPC=yes", Some(Some(true))),
            ("[Login]\nRemoveIPC=no\nRemoveIPC=\n", Some(None)),
            ("[Sleep]\nRemoveIPC=no\n", None),
        ] {
            assert_eq!(remove_ipc_in(text), said, "{text:?}");
        }
    }
}
