# pint's checks of the rules, for `make lint`: those that need no running Prometheus. What is on by itself is not named
# here: syntax, regular expressions, fragile joins, templates that ask for labels that an alert can't have, aggregations
# that lose them, comparisons that are missing, for without sense, and more.

parser {
  include = ["prometheus/rules/.+\\.yml"]
}

rule {
  match { kind = "alerting" }
  # An escalation has the condition of the alert that it escalates, from the series.
  ignore { name = "Escalation.+" }

  label "condition" {
    severity = "bug"
    required = true
    value    = "[a-z]+(_[a-z]+)*"
  }
}

rule {
  match { kind = "alerting" }

  # What each message and each silence needs. Most alerts have the severity of the threshold that they compare with, so
  # it is asked for in tests/rules/test_rules.py.
  label "severity" {
    severity = "bug"
    required = false
    value    = "(critical|warning|info|none)"
  }
  annotation "summary" {
    severity = "bug"
    required = true
    value    = "[^{]+\\."
  }
  annotation "description" {
    severity = "bug"
    required = true
  }
  annotation "runbook_url" {
    severity = "bug"
    required = true
    value    = "\\{\\{ \\$externalLabels.responder_url \\}\\}/runbooks/[A-Z]\\w+"
  }
  annotation "dashboard_url" {
    severity = "bug"
    required = true
  }

  # A wait of more than a day is a mistake: what takes so long is an age, kept as a timestamp.
  for {
    severity = "bug"
    max      = "1d"
  }
  keep_firing_for {
    severity = "bug"
    max      = "1d"
  }
}

rule {
  match { kind = "recording" }

  # level:metric or level:metric:operations.
  name "[a-z_]+:[a-z0-9_]+(:[a-z0-9_]+)?" {
    severity = "bug"
  }
}
