//! The attacker as a child process.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::{attacks::Attack, own_path};

/// Ends when its standard input does; killed when dropped.
pub(crate) struct Attacker {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Attacker {
    /// Returns when the attack is in full swing.
    pub(crate) fn start(attack: Attack, address: &str) -> Self {
        let mut command = Command::new(own_path());
        command.args(["--only", attack.name(), "--address", address]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert_eq!(line, "attacking\n");
        Self { child, said }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it; what it has to say.
    pub(crate) fn stop(mut self) -> String {
        drop(self.child.stdin.take());
        let mut got = String::new();
        self.said.read_to_string(&mut got).unwrap();
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "the attacker ended with {ended}");
        got.trim_end().to_owned()
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
