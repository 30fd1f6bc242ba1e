//! From Cedar's expressions to ours.

use cedar_policy_core::{
    ast::{self, BinaryOp, ExprKind, UnaryOp},
    extensions::Extensions,
};
use smol_str::SmolStr;

use crate::authz::{
    expr::{Arithmetic, Compare, Expr},
    symbols::{Name, Symbols},
    value::{Elements, Fields, Value},
};

use super::{Function, Pattern, import};

/// How deep expressions may nest that we evaluate: brackets nest 64 deep at most, but chains of
/// operators have no end. Deeper ones are for Cedar.
const MAX_DEPTH: usize = 200;

/// The condition of a policy, its scope left out: `Some(None)` if it has none, `None` if it is not
/// for us to evaluate.
pub(in crate::authz) fn condition(
    policy: &cedar_policy::Policy,
    symbols: &mut Symbols<'_>,
) -> Option<Option<Expr>> {
    let policy: &ast::Policy = policy.as_ref();
    match policy.non_scope_constraints() {
        None => Some(None),
        Some(condition) => lower(condition, symbols, MAX_DEPTH).map(Some),
    }
}

fn lower(expr: &ast::Expr, symbols: &mut Symbols<'_>, depth: usize) -> Option<Expr> {
    let depth = depth.checked_sub(1)?;
    let mut boxed = |expr: &ast::Expr| lower(expr, symbols, depth).map(Box::new);
    match expr.expr_kind() {
        ExprKind::Lit(literal) => Some(Expr::Value(import::literal(literal, symbols))),
        ExprKind::Var(variable) => Some(match variable {
            ast::Var::Action => Expr::Action,
            ast::Var::Context => Expr::Context,
            ast::Var::Principal => Expr::Principal,
            ast::Var::Resource => Expr::Resource,
        }),
        ExprKind::Slot(_) | ExprKind::Unknown(_) => None,
        ExprKind::If {
            test_expr,
            then_expr,
            else_expr,
        } => {
            let parts = [test_expr, then_expr, else_expr].map(|it| lower(it, symbols, depth));
            let [Some(test), Some(then), Some(otherwise)] = parts else {
                return None;
            };
            Some(Expr::If(Box::new([test, then, otherwise])))
        }
        ExprKind::And { .. } => {
            chain(expr, conjuncts, symbols, depth).map(|it| Expr::All(it.into()))
        }
        ExprKind::Or { .. } => {
            chain(expr, disjuncts, symbols, depth).map(|it| Expr::Any(it.into()))
        }
        ExprKind::UnaryApp { op, arg } => Some(match op {
            UnaryOp::Not => Expr::Not(boxed(arg)?),
            UnaryOp::Neg => Expr::Negative(boxed(arg)?),
            UnaryOp::IsEmpty => Expr::IsEmpty(boxed(arg)?),
        }),
        ExprKind::BinaryApp { op, arg1, arg2 } => {
            let (left, right) = (boxed(arg1)?, boxed(arg2)?);
            Some(binary(*op, Box::new([*left, *right])))
        }
        ExprKind::ExtensionFunctionApp { fn_name, args } => {
            let args = args.iter().map(|arg| lower(arg, symbols, depth));
            call(Function(fn_name.clone()), args.collect::<Option<_>>()?)
        }
        ExprKind::GetAttr { expr: of, .. }
        | ExprKind::HasAttr { expr: of, .. }
        | ExprKind::ExtHasAttr { expr: of, .. }
        | ExprKind::Like { expr: of, .. }
        | ExprKind::Is { expr: of, .. } => of_one(expr, boxed(of)?, symbols),
        ExprKind::Set(elements) => {
            let elements = elements.iter().map(|it| lower(it, symbols, depth));
            Some(set(elements.collect::<Option<_>>()?))
        }
        ExprKind::Record(fields) => {
            let fields = fields
                .iter()
                .map(|(name, it)| Some((symbols.name(name), lower(it, symbols, depth)?)));
            Some(record(fields.collect::<Option<_>>()?))
        }
    }
}

/// What an expression asks of its one operand besides a truth value or a number.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "its caller has matched these five"
)]
fn of_one(expr: &ast::Expr, of: Box<Expr>, symbols: &mut Symbols<'_>) -> Option<Expr> {
    match expr.expr_kind() {
        ExprKind::GetAttr { attr, .. } => Some(Expr::Get(of, symbols.name(attr))),
        ExprKind::HasAttr { attr, .. } => Some(Expr::Has(of, Box::new([symbols.name(attr)]))),
        ExprKind::ExtHasAttr { attrs, .. } => {
            let path = attrs.iter().map(|attr: &SmolStr| symbols.name(attr));
            Some(Expr::Has(of, path.collect()))
        }
        ExprKind::Like { pattern, .. } => Some(Expr::Like(of, Pattern(pattern.clone()))),
        ExprKind::Is { entity_type, .. } => {
            let kind = symbols.type_of_name(&entity_type.clone().into());
            Some(Expr::Is(of, kind))
        }
        _ => None,
    }
}

/// The operands of a chain of one operator, however long.
fn chain<'e>(
    expr: &'e ast::Expr,
    operands: fn(&'e ast::Expr) -> Option<[&'e ast::Expr; 2]>,
    symbols: &mut Symbols<'_>,
    depth: usize,
) -> Option<Vec<Expr>> {
    let mut lowered = Vec::new();
    let mut left = vec![expr];
    while let Some(expr) = left.pop() {
        match operands(expr) {
            Some([first, second]) => left.extend([second, first]),
            None => lowered.push(lower(expr, symbols, depth)?),
        }
    }
    Some(lowered)
}

fn conjuncts(expr: &ast::Expr) -> Option<[&ast::Expr; 2]> {
    if let ExprKind::And { left, right } = expr.expr_kind() {
        Some([&**left, &**right])
    } else {
        None
    }
}

fn disjuncts(expr: &ast::Expr) -> Option<[&ast::Expr; 2]> {
    if let ExprKind::Or { left, right } = expr.expr_kind() {
        Some([&**left, &**right])
    } else {
        None
    }
}

fn binary(operator: BinaryOp, operands: Box<[Expr; 2]>) -> Expr {
    let compare = match operator {
        BinaryOp::Add => return Expr::Arithmetic(Arithmetic::Add, operands),
        BinaryOp::Mul => return Expr::Arithmetic(Arithmetic::Multiply, operands),
        BinaryOp::Sub => return Expr::Arithmetic(Arithmetic::Subtract, operands),
        BinaryOp::GetTag => return Expr::Tag(operands),
        BinaryOp::Contains => Compare::Contains,
        BinaryOp::ContainsAll => Compare::ContainsAll,
        BinaryOp::ContainsAny => Compare::ContainsAny,
        BinaryOp::Eq => Compare::Equal,
        BinaryOp::HasTag => Compare::HasTag,
        BinaryOp::In => Compare::In,
        BinaryOp::Less => Compare::Less,
        BinaryOp::LessEq => Compare::LessOrEqual,
    };
    Expr::Compare(compare, operands)
}

/// A call, made now if its arguments are known. One that goes wrong does so for each question, and is
/// for Cedar to speak of then.
fn call(function: Function, arguments: Vec<Expr>) -> Option<Expr> {
    Extensions::all_available().func(&function.0).ok()?;
    let made = constants(&arguments).and_then(|known| function.call(&known));
    Some(match made {
        Some(value) => Expr::Value(value),
        None => Expr::Call(function, arguments.into()),
    })
}

/// A set, made now if its elements are known: Cedar makes a literal anew for each question.
fn set(elements: Vec<Expr>) -> Expr {
    match constants(&elements) {
        Some(known) => Expr::Value(Value::Set(Elements::of(known))),
        None => Expr::Set(elements.into()),
    }
}

fn record(fields: Vec<(Name, Expr)>) -> Expr {
    let known = fields
        .iter()
        .map(|(name, it)| Some((*name, it.as_constant()?.clone())));
    match known.collect::<Option<_>>() {
        Some(known) => Expr::Value(Value::Record(Fields::of(known))),
        None => Expr::Record(fields.into()),
    }
}

fn constants(exprs: &[Expr]) -> Option<Vec<Value>> {
    exprs.iter().map(|it| it.as_constant().cloned()).collect()
}
