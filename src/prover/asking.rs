//! One obligation after the other, by the shape of requests, with what is already known of each.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use cedar_policy::RequestEnv;

use crate::authz::{Key, Obligation, ProofResult, Proofs, Subject, Verdict};

use super::session::Session;

/// What everyone who proves needs to know.
pub(super) struct Asking<'a> {
    pub(super) proofs: &'a Proofs<'a>,
    pub(super) known: &'a HashSet<Key>,
    /// What is shown to be wrong, if it is enough to show that once.
    pub(super) refuted: Option<&'a Mutex<BTreeSet<Subject>>>,
}

/// One obligation, done.
pub(super) struct One {
    /// Nothing if another one says as much.
    pub(super) result: Option<ProofResult>,
    /// If it is proved.
    pub(super) key: Option<Key>,
    pub(super) asked: bool,
}

impl One {
    pub(super) fn unknown(obligation: &Obligation, why: &str) -> Self {
        let verdict = Verdict::Unknown(why.to_owned());
        let subject = obligation.subject.clone();
        Self {
            result: Some(ProofResult::new(subject, obligation.claim.env(), verdict)),
            key: None,
            asked: true,
        }
    }

    fn left_out() -> Self {
        Self {
            result: None,
            key: None,
            asked: false,
        }
    }
}

impl Asking<'_> {
    /// Proves one obligation; of several invariants that do not all hold, each by itself.
    pub(super) fn prove(&self, session: &mut Session<'_>, obligation: &Obligation) -> Vec<One> {
        let Some(obligation) = self.open(obligation) else {
            return vec![One::left_out()];
        };
        let Obligation { subject, claim } = &obligation;
        let key = self.proofs.key(claim);
        let is_known = self.known.contains(&key);
        let verdict = match is_known {
            true => Verdict::Proved,
            false => session.prove(self.proofs, claim),
        };
        if verdict != Verdict::Proved {
            let apart = self.proofs.apart(&obligation);
            if !apart.is_empty() {
                let apart = apart.iter();
                return apart.flat_map(|it| self.prove(session, it)).collect();
            }
        }
        if let (Some(refuted), Verdict::Refuted(_)) = (self.refuted, &verdict) {
            let mut refuted = refuted.lock().unwrap_or_else(PoisonError::into_inner);
            refuted.insert(subject.clone());
        }
        let proved = verdict == Verdict::Proved;
        vec![One {
            result: Some(ProofResult::new(subject.clone(), claim.env(), verdict)),
            key: proved.then_some(key),
            asked: !is_known,
        }]
    }

    /// What is left of an obligation if what is wrong is shown once. That nothing is wider is told of
    /// each shape.
    fn open(&self, obligation: &Obligation) -> Option<Obligation> {
        match (self.refuted, &obligation.subject) {
            (None, _) | (_, Subject::Wider) => Some(obligation.clone()),
            (Some(refuted), _) => {
                let refuted = refuted.lock().unwrap_or_else(PoisonError::into_inner);
                self.proofs.without(obligation, &refuted)
            }
        }
    }
}

/// Obligations by the shape of requests, which share what is made of the schema; each with its place.
pub(super) fn by_shape(obligations: Vec<Obligation>) -> Vec<Vec<(usize, Obligation)>> {
    let mut groups: Vec<Vec<(usize, Obligation)>> = Vec::new();
    let mut places: HashMap<RequestEnv, usize> = HashMap::new();
    for (place, obligation) in obligations.into_iter().enumerate() {
        let group = *places
            .entry(obligation.claim.env().clone())
            .or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        if let Some(group) = groups.get_mut(group) {
            group.push((place, obligation));
        }
    }
    groups
}
