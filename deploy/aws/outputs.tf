output "balancer" {
  description = "Point the domain's CNAME (or an alias record) here."
  value       = aws_lb.this.dns_name
}

output "settings_secret" {
  description = "Put the rest of .env here, as one JSON object, before the first node starts."
  value       = aws_secretsmanager_secret.settings.name
}

output "release_policy" {
  description = "Attach this to the role that runs release.py."
  value       = aws_iam_policy.release.arn
}

output "url" {
  description = "What Slack and the helpdesk are told."
  value       = "https://${var.domain}"
}
