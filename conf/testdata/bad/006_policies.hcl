policy "a" {
  step "health" {}
  step "policy" {
    policy = policy.b # ERROR GS006: Reference cycle
  }
}
policy "b" {
  step "policy" {
    policy = policy.c
  }
}
policy "c" {
  step "policy" {
    policy = policy.a
  }
}
policy "self" {
  step "policy" {
    policy = policy.self # ERROR GS006: Reference cycle
  }
}
policy "outside" { # WARN GS309: Policy without a health step
  step "policy" {
    policy = policy.self
  }
}
policy "empty" { # WARN GS309: Policy without a health step
  step "policy" {} # ERROR GS002: Missing argument
}
