//! A server in a process of its own: where it listens, what it costs; killed when dropped.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Child,
    time::Duration,
};

use crate::{floors::Floor, load::Address};

/// Of the clock that `/proc/PID/stat` counts in, on every Linux.
const TICK: Duration = Duration::from_millis(10);

pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) tcp: Address,
    pub(crate) unix: Address,
}

/// How long a process was on a CPU so far.
pub(crate) struct Cpu {
    /// Nanoseconds of the threads that live.
    threads: BTreeMap<i32, u64>,
    /// Of all threads there were, in whole ticks.
    ticks: u32,
}

impl Server {
    /// Starts a floor, with its socket file in this folder.
    pub(crate) fn floor(floor: Floor, folder: &Path) -> Self {
        let socket = folder.join(format!("{floor:?}.sock"));
        let mut child = floor.command(&socket).spawn().unwrap();
        let mut address = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut address).unwrap();
        Self {
            child,
            tcp: Address::Tcp(address.trim().parse().unwrap()),
            unix: Address::Unix(socket),
        }
    }

    /// Exact while nothing is asked: the time of a thread is accounted for when it stops.
    pub(crate) fn cpu(&self) -> Cpu {
        let proc = self.proc();
        let mut threads = BTreeMap::new();
        for thread in self.threads() {
            let path = proc.join(format!("task/{thread}/schedstat"));
            // It may have ended since it was listed.
            let Ok(text) = fs::read_to_string(path) else {
                continue;
            };
            let ran = text.split_whitespace().next().unwrap();
            threads.insert(thread, ran.parse().unwrap());
        }
        let stat = fs::read_to_string(proc.join("stat")).unwrap();
        // The name of the program, in parentheses, may have spaces; the third field follows it.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let times = fields.split(' ').skip(11).take(2);
        Cpu {
            threads,
            ticks: times.map(|it| it.parse::<u32>().unwrap()).sum(),
        }
    }

    /// What of its memory is resident, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.bytes("VmRSS:")
    }

    /// The most that was resident at any time.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.bytes("VmHWM:")
    }

    fn bytes(&self, name: &str) -> u64 {
        let status = fs::read_to_string(self.proc().join("status")).unwrap();
        let mut lines = status.lines();
        let size = lines.find_map(|line| line.strip_prefix(name)).unwrap();
        let kib = size.trim().strip_suffix(" kB").unwrap();
        kib.parse::<u64>().unwrap() << 10
    }

    /// The ids of its threads.
    pub(crate) fn threads(&self) -> Vec<i32> {
        let threads = fs::read_dir(self.proc().join("task")).unwrap().flatten();
        let id = |name: OsString| name.to_str().unwrap().parse().unwrap();
        threads.map(|thread| id(thread.file_name())).collect()
    }

    fn proc(&self) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string())
    }
}

impl Cpu {
    /// What it took since then.
    pub(crate) fn since(&self, before: &Self) -> Duration {
        if !before
            .threads
            .keys()
            .all(|it| self.threads.contains_key(it))
        {
            // What a thread had done that has ended is in the coarse sum alone.
            return TICK * (self.ticks - before.ticks);
        }
        let sum = |cpu: &Self| cpu.threads.values().sum::<u64>();
        Duration::from_nanos(sum(self) - sum(before))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which whoever asked it has noticed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
