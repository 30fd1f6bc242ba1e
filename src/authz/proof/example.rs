//! A question that shows a claim to be wrong: as the solver found it, checked on the engine that
//! decides, made small.

use cedar_policy::{Entities, Request};

use crate::authz::{
    CedarQuery, Json, SourceFile,
    index::{Index, Verdict as Decided},
    inline::MAX_ANCESTORS,
    policies,
    stored::StoredEntities,
    symbols::Symbols,
    world::World,
};

use super::{Claim, Proofs, Test, Verdict, question::Question, shrink::shrink};

/// How deep what a solver finds may nest; types of a schema nest less.
const MAX_DEPTH: usize = 128;

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
    /// Whether the policies allow it.
    pub allowed: bool,
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
        let mut symbols = Symbols::above(&self.symbols);
        let file = SourceFile {
            name: String::new(),
            bytes: serde_json::Value::Array(question.entities_json())
                .to_string()
                .into_bytes(),
        };
        let (files, mut findings) = ([file], Vec::new());
        let (stored, _) = StoredEntities::parse_within(
            MAX_ANCESTORS,
            &files,
            snapshot.schema(),
            &mut symbols,
            &mut findings,
        );
        if let Some(first) = findings.first() {
            return Err(first.message.clone());
        }
        let text = question.to_json().to_string();
        let json = Json::parse(text.as_bytes(), MAX_DEPTH).map_err(|e| e.to_string())?;
        let object = json.as_object().ok_or("no object")?;
        let part = |key: &str| object.get(key).ok_or("a part is missing");
        let raw = CedarQuery {
            principal: part("principal")?,
            action: part("action")?,
            resource: part("resource")?,
            context: object.get("context"),
        };
        let asked = raw.asked(snapshot, &mut symbols, |uid| uid);
        let asked = asked.map_err(|error| error.to_string())?;
        if let Some(missing) = snapshot.missing_of(&stored, &asked.roots(), &symbols) {
            return Err(format!("{} is not among its data", symbols.show(missing)));
        }
        let world = World::stored(&symbols, &stored, snapshot.schema());
        let scene = asked.scene(&world);
        let (left, right) = (self.left.ask(&scene), self.right.ask(&scene));
        let decided = snapshot.index.ask(&scene);
        Ok(Told {
            is_counterexample: match self.test {
                Test::Equal => left.allows() != right.allows(),
                Test::Implies => left.allows() && !right.allows(),
                Test::NeverErrors => !left.errors.is_empty(),
            },
            allowed: decided.allows(),
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
            Test::Equal | Test::Implies => reasons.map(|rule| policies::name(rule.id())).collect(),
        };
        deciding.sort();
        deciding
    }
}
