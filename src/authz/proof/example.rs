//! A question that shows a claim to be wrong: as the solver found it, checked on the engine that
//! decides, made small.

use cedar_policy::{Entities, Request};
use serde_json::Value;

use crate::authz::{
    CedarQuery, Json,
    index::{Index, Verdict as Decided},
    known::{Known, OwnData},
    policies,
    symbols::Symbols,
};

use super::{Claim, Proofs, Verdict, claim::Test, question::Question, shrink::shrink};

/// How deep what a solver finds may nest; types of a schema nest less.
pub(super) const MAX_DEPTH: usize = 128;

/// What a solver found: data, and a request about it.
#[derive(Debug)]
pub struct Model {
    /// The request.
    pub request: Request,
    /// All data.
    pub entities: Entities,
}

/// A question that a claim is wrong about, confirmed by the engine that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// What is asked, in a line.
    pub summary: String,
    /// The question and its data as JSON, as `palisade decide` takes it.
    pub question: String,
    /// Whether the policies allow it, by Cedar's rule: one that fails is skipped.
    pub allowed: bool,
    /// The forbids that fail at it, sorted. Palisade denies it for them, unless it is told to follow
    /// Cedar's rule.
    pub failing: Vec<String>,
    /// The policies that decide so, sorted; those that fail, if it is about failing.
    pub policies: Vec<String>,
}

/// Both sides of a claim, ready to be asked.
struct Sides<'p, 's> {
    proofs: &'p Proofs<'s>,
    symbols: Symbols<'p>,
    test: Test,
    left: Index,
    right: Index,
}

/// What came of asking a question.
struct Told {
    is_counterexample: bool,
    allowed: bool,
    failing: Vec<String>,
    policies: Vec<String>,
}

impl Proofs<'_> {
    /// What a solver's finding means: a smaller one that the engine confirms, or nothing certain.
    pub fn judge(&self, claim: &Claim, model: &Model) -> Verdict {
        match self.confirmed(claim, model) {
            Ok(counterexample) => Verdict::Refuted(Box::new(counterexample)),
            Err(why) => Verdict::Unknown(format!(
                "the solver found a counterexample that the engine does not confirm: {why}"
            )),
        }
    }

    fn confirmed(&self, claim: &Claim, model: &Model) -> Result<Counterexample, String> {
        let schema = self.snapshot.schema().ok_or("there is no schema")?;
        let symbols = &self.snapshot.symbols;
        let found = Question::of(&model.request, &model.entities, schema, symbols)?;
        let sides = Sides::of(self, claim);
        let told = sides.ask(&found)?;
        if !told.is_counterexample {
            return Err(format!("`{}` is decided alike", found.summary()));
        }
        let holds = |question: &Question| {
            let told = sides.ask(question);
            told.is_ok_and(|told| told.is_counterexample)
        };
        let smallest = shrink(found, &holds);
        let told = sides.ask(&smallest)?;
        Ok(Counterexample {
            summary: smallest.summary(),
            question: smallest.to_json().to_string(),
            allowed: told.allowed,
            failing: told.failing,
            policies: told.policies,
        })
    }
}

impl<'p, 's> Sides<'p, 's> {
    fn of(proofs: &'p Proofs<'s>, claim: &Claim) -> Self {
        let mut symbols = Symbols::above(&proofs.snapshot.symbols);
        let schema = proofs.snapshot.schema();
        let mut index = |side: &[std::sync::Arc<super::Statement>]| {
            Index::new(side.iter().map(|it| &it.policy), schema, &mut symbols)
        };
        let (left, right) = (index(&claim.left), index(&claim.right));
        Self {
            proofs,
            symbols,
            test: claim.test,
            left,
            right,
        }
    }

    /// Puts a question to both sides, and to the policies themselves.
    fn ask(&self, question: &Question) -> Result<Told, String> {
        let snapshot = self.proofs.snapshot;
        let entities = Value::Array(question.entities_json()).to_string();
        let own = OwnData::parse("", entities, snapshot, &self.symbols);
        let own = own.map_err(|found| found.message)?;
        let text = question.to_json().to_string();
        let json = Json::parse(text.as_bytes(), MAX_DEPTH).map_err(|e| e.to_string())?;
        let raw = CedarQuery::of(json.as_object().ok_or("no object")?)?;
        let known = Known::parse(snapshot, &raw, Some(&own)).map_err(|error| error.to_string())?;
        if let Some(why) = known.denied() {
            return Err(why);
        }
        let (left, right) = (known.ask(&self.left), known.ask(&self.right));
        let decided = known.ask(&snapshot.index);
        Ok(Told {
            is_counterexample: match self.test {
                // No question shows that there is none.
                Test::AllowsSome | Test::NotComparable => false,
                Test::Equal => left.allows() != right.allows(),
                Test::Implies => left.allows() && !right.allows(),
                Test::NeverErrors => !left.errors.is_empty(),
            },
            allowed: decided.allows(),
            failing: failing(&decided),
            policies: self.deciding(&decided),
        })
    }

    fn deciding(&self, decided: &Decided<'_>) -> Vec<String> {
        let erring = decided
            .errors
            .iter()
            .map(|(rule, _)| policies::name(rule.id()));
        let reasons = decided.reasons().iter();
        let mut deciding: Vec<String> = match self.test {
            Test::NeverErrors => erring.collect(),
            Test::AllowsSome | Test::Equal | Test::Implies | Test::NotComparable => {
                reasons.map(|rule| policies::name(rule.id())).collect()
            }
        };
        deciding.sort();
        deciding
    }
}

/// The forbids that fail.
fn failing(decided: &Decided<'_>) -> Vec<String> {
    let forbids = decided.errors.iter().filter(|(rule, _)| rule.forbids());
    let mut failing: Vec<String> = forbids.map(|(rule, _)| policies::name(rule.id())).collect();
    failing.sort();
    failing
}
