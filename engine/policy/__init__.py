"""Policy: rules over desired apps before planning (admission), and limits on the whole plan (guardrails).

Pure: values in, verdicts out. The expression language is loaded when the first rule is compiled, not before.
"""
