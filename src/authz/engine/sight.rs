//! How far policies look.

use cedar_policy::Policy;
use cedar_policy_core::ast::{self, BinaryOp, ExprKind};

/// Through how many entities in a row a policy can look, at most: `principal.boss.level` looks
/// through two. What lies further off cannot change what it says.
pub(in crate::authz) fn sight(policy: &Policy) -> usize {
    let policy: &ast::Policy = policy.as_ref();
    let condition = policy.condition();
    let mut sight = 0;
    let mut stack: Vec<(&ast::Expr, usize)> = vec![(&condition, 0)];
    while let Some((expr, looked)) = stack.pop() {
        sight = sight.max(looked);
        match expr.expr_kind() {
            ExprKind::Lit(_) | ExprKind::Slot(_) | ExprKind::Unknown(_) | ExprKind::Var(_) => {}
            ExprKind::GetAttr { expr, .. } | ExprKind::HasAttr { expr, .. } => {
                stack.push((expr, looked + 1));
            }
            ExprKind::ExtHasAttr { expr, attrs } => stack.push((expr, looked + attrs.len())),
            ExprKind::BinaryApp { op, arg1, arg2 } => {
                // These ask the entity on their left.
                let asks = matches!(op, BinaryOp::GetTag | BinaryOp::HasTag | BinaryOp::In);
                stack.extend([(&**arg1, looked + usize::from(asks)), (&**arg2, looked)]);
            }
            ExprKind::If {
                test_expr,
                then_expr,
                else_expr,
            } => stack.extend([test_expr, then_expr, else_expr].map(|it| (&**it, looked))),
            ExprKind::And { left, right } | ExprKind::Or { left, right } => {
                stack.extend([(&**left, looked), (&**right, looked)]);
            }
            ExprKind::UnaryApp { arg: expr, .. }
            | ExprKind::Like { expr, .. }
            | ExprKind::Is { expr, .. } => stack.push((expr, looked)),
            ExprKind::ExtensionFunctionApp { args: items, .. } | ExprKind::Set(items) => {
                stack.extend(items.iter().map(|item| (item, looked)));
            }
            ExprKind::Record(fields) => stack.extend(fields.values().map(|it| (it, looked))),
        }
    }
    sight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(condition: &str, expected: usize) {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        let policy = Policy::parse(None, text).unwrap();
        assert_eq!(sight(&policy), expected, "{condition}");
    }

    #[test]
    fn it_is_the_longest_row_of_entities_that_are_asked() {
        check("true", 0);
        check("principal == resource", 0);
        check("principal is User", 0);
        check("principal.level > 3", 1);
        check("3 < 2 || principal.boss.level > 3", 2);
        check("principal has boss", 1);
        check("principal has boss.boss.level", 3);
        check("principal.boss has boss.level", 3);
        check("principal in Group::\"a\"", 1);
        check("principal.boss in [resource.owner.team, Group::\"a\"]", 2);
        check("User::\"a\" in resource.owner.boss.team", 3);
        check("resource.owner.hasTag(\"a\")", 2);
        check("resource.owner.getTag(\"a\").level > 3", 3);
        check("resource.owner.getTag(principal.boss.boss.name) == 1", 3);
        check(
            "(if principal.old then principal.boss else resource.owner).level > 1",
            2,
        );
        check("!(principal.name like \"a*\")", 1);
        check("[1, principal.boss.level].contains(3)", 2);
        check("{ a: principal.boss }.a.level == 1", 3);
        check("ip(principal.home.address).isLoopback()", 2);
        check("-principal.boss.level + 1 == 3", 2);
    }

    #[test]
    fn a_scope_that_asks_for_a_group_looks_at_one_entity() {
        let text = "permit (principal in Group::\"a\", action, resource);";
        assert_eq!(sight(&Policy::parse(None, text).unwrap()), 1);
    }
}
