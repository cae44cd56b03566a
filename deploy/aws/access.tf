data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:a key's own policy is about that key only
  #checkov:skip=CKV_AWS_111:a key's own policy is about that key only
  #checkov:skip=CKV_AWS_356:a key's own policy is about that key only
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["${local.arn}:iam::${local.account}:root"]
    }
  }
  statement {
    sid       = "Logs"
    actions   = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["logs.${var.region}.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["${local.arn}:logs:${var.region}:${local.account}:log-group:*"]
    }
  }
}

data "aws_iam_policy_document" "backups" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.backups.arn, "${aws_s3_bucket.backups.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

data "aws_iam_policy_document" "logs" {
  statement {
    sid       = "Balancer"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.logs.arn}/balancer/AWSLogs/${local.account}/*"]
    principals {
      type        = "Service"
      identifiers = ["logdelivery.elasticloadbalancing.amazonaws.com"]
    }
  }
  statement {
    sid       = "Buckets"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.logs.arn}/backups/*"]
    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

# Files: encrypted on the way, through the access point, by the nodes.
data "aws_iam_policy_document" "data" {
  statement {
    actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    resources = [aws_efs_file_system.data.arn]
    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.node.arn]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["true"]
    }
    condition {
      test     = "StringEquals"
      variable = "elasticfilesystem:AccessPointArn"
      values   = [aws_efs_access_point.data.arn]
    }
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = toset(["ec2", "monitoring.rds", "vpc-flow-logs"])
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["${each.key}.amazonaws.com"]
    }
  }
}

# What a node may do, and nothing else: read its settings, pull its image, write logs and backups.
data "aws_iam_policy_document" "node" {
  statement {
    sid       = "Settings"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.database.arn, aws_secretsmanager_secret.settings.arn]
  }
  statement {
    sid       = "Image"
    actions   = ["ssm:GetParameter"]
    resources = [for parameter in aws_ssm_parameter.image_tag : parameter.arn]
  }
  statement {
    sid       = "Pull"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [data.aws_ecr_repository.this.arn]
  }
  statement {
    #checkov:skip=CKV_AWS_356:this call knows no resource
    sid       = "PullLogin"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.nodes.arn}:*"]
  }
  statement {
    sid       = "Backups"
    actions   = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.backups.arn}/*"]
  }
  statement {
    sid       = "ListBackups"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.backups.arn]
  }
  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.this.arn]
  }
}

resource "aws_iam_role" "node" {
  name               = "${var.name}-node"
  assume_role_policy = data.aws_iam_policy_document.trust["ec2"].json
}

resource "aws_iam_role_policy" "node" {
  name   = "node"
  role   = aws_iam_role.node.id
  policy = data.aws_iam_policy_document.node.json
}

# A shell without SSH: no key, no open port, every session logged by AWS.
resource "aws_iam_role_policy_attachment" "session" {
  role       = aws_iam_role.node.name
  policy_arn = "${local.arn}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_role_policy_attachment" "mitigations" {
  for_each   = toset(var.mitigation_policy_arns)
  role       = aws_iam_role.node.name
  policy_arn = each.value
}

resource "aws_iam_instance_profile" "node" {
  name = "${var.name}-node"
  role = aws_iam_role.node.name
}

resource "aws_iam_role" "database_monitoring" {
  name               = "${var.name}-database-monitoring"
  assume_role_policy = data.aws_iam_policy_document.trust["monitoring.rds"].json
}

resource "aws_iam_role_policy_attachment" "database_monitoring" {
  role       = aws_iam_role.database_monitoring.name
  policy_arn = "${local.arn}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

resource "aws_iam_role" "flow_log" {
  name               = "${var.name}-flow-log"
  assume_role_policy = data.aws_iam_policy_document.trust["vpc-flow-logs"].json
}

data "aws_iam_policy_document" "flow_log" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["${aws_cloudwatch_log_group.flow.arn}:*"]
  }
}

resource "aws_iam_role_policy" "flow_log" {
  name   = "write"
  role   = aws_iam_role.flow_log.id
  policy = data.aws_iam_policy_document.flow_log.json
}

# For whoever runs release.py: these groups, this listener, these parameters.
data "aws_iam_policy_document" "release" {
  #checkov:skip=CKV_AWS_356:describing knows no resource
  statement {
    sid = "Look"
    actions = [
      "autoscaling:DescribeAutoScalingGroups", "cloudwatch:DescribeAlarms", "elasticloadbalancing:DescribeListeners",
      "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeTargetGroups",
      "elasticloadbalancing:DescribeTargetHealth", "rds:DescribeDBSnapshots"
    ]
    resources = ["*"]
  }
  statement {
    sid       = "Groups"
    actions   = ["autoscaling:UpdateAutoScalingGroup"]
    resources = [for group in aws_autoscaling_group.node : group.arn]
  }
  statement {
    sid       = "Traffic"
    actions   = ["elasticloadbalancing:ModifyListener"]
    resources = [aws_lb_listener.https.arn]
  }
  statement {
    sid       = "Image"
    actions   = ["ssm:GetParameter", "ssm:PutParameter"]
    resources = [for parameter in aws_ssm_parameter.image_tag : parameter.arn]
  }
  statement {
    sid       = "Snapshot"
    actions   = ["rds:CreateDBSnapshot"]
    resources = [aws_db_instance.this.arn, "${local.arn}:rds:${var.region}:${local.account}:snapshot:${var.name}-*"]
  }
}

resource "aws_iam_policy" "release" {
  name   = "${var.name}-release"
  policy = data.aws_iam_policy_document.release.json
}
