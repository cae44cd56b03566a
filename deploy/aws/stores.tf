resource "aws_kms_key" "this" {
  description             = "${var.name}: database, cache, backups, secrets, logs"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = [for subnet in aws_subnet.private : subnet.id]
}

resource "aws_db_parameter_group" "this" {
  name   = "${var.name}-postgres17"
  family = "postgres17"
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
  parameter {
    name  = "log_min_duration_statement"
    value = "500"
  }
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_161:the application signs in with a password of Secrets Manager
  #checkov:skip=CKV2_AWS_30:slow statements are logged; logging all of them would log what people wrote
  identifier                      = var.name
  engine                          = "postgres"
  engine_version                  = "17"
  instance_class                  = var.database_class
  allocated_storage               = 50
  max_allocated_storage           = 500
  storage_type                    = "gp3"
  storage_encrypted               = true
  kms_key_id                      = aws_kms_key.this.arn
  db_name                         = "signalbox"
  username                        = "signalbox"
  password_wo                     = var.database_password
  password_wo_version             = var.database_password_version
  multi_az                        = true
  db_subnet_group_name            = aws_db_subnet_group.this.name
  vpc_security_group_ids          = [aws_security_group.stores.id]
  parameter_group_name            = aws_db_parameter_group.this.name
  backup_retention_period         = 30
  copy_tags_to_snapshot           = true
  auto_minor_version_upgrade      = true
  deletion_protection             = true
  final_snapshot_identifier       = "${var.name}-last"
  performance_insights_enabled    = true
  performance_insights_kms_key_id = aws_kms_key.this.arn
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.database_monitoring.arn
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
}

resource "aws_elasticache_subnet_group" "this" {
  name       = var.name
  subnet_ids = [for subnet in aws_subnet.private : subnet.id]
}

# Redis only wakes workers: the truth is in PostgreSQL, and a lost queue is filled again from there.
resource "aws_elasticache_parameter_group" "this" {
  name   = "${var.name}-redis7"
  family = "redis7"
  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id       = var.name
  description                = "Signalbox: the queue between web and workers"
  engine                     = "redis"
  engine_version             = "7.1"
  node_type                  = var.cache_type
  num_cache_clusters         = 2
  automatic_failover_enabled = true
  multi_az_enabled           = true
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.stores.id]
  parameter_group_name       = aws_elasticache_parameter_group.this.name
  at_rest_encryption_enabled = true
  kms_key_id                 = aws_kms_key.this.arn
  transit_encryption_enabled = true
  auth_token                 = var.redis_auth_token
  auto_minor_version_upgrade = true
}

# Written once, so that the password stays what the database was told.
resource "aws_secretsmanager_secret" "database" {
  #checkov:skip=CKV2_AWS_57:rotated by raising database_password_version
  name       = "${var.name}/database"
  kms_key_id = aws_kms_key.this.arn
}

resource "aws_secretsmanager_secret_version" "database" {
  secret_id = aws_secretsmanager_secret.database.id
  secret_string_wo = jsonencode({
    DATABASE_URL = join("", [
      "postgresql://signalbox:", var.database_password,
      "@${aws_db_instance.this.endpoint}/signalbox?sslmode=require"
    ])
    REDIS_URL = "rediss://:${var.redis_auth_token}@${aws_elasticache_replication_group.this.primary_endpoint_address}:6379/0?ssl_cert_reqs=required"
  })
  secret_string_wo_version = var.database_password_version
}

# Filled in by hand, from .env.example: SIGNALBOX_SECRET_KEY, SLACK_BOT_TOKEN, …
resource "aws_secretsmanager_secret" "settings" {
  #checkov:skip=CKV2_AWS_57:tokens of Slack and the helpdesk are rotated where they are issued
  name       = "${var.name}/settings"
  kms_key_id = aws_kms_key.this.arn
}

resource "aws_s3_bucket" "backups" {
  #checkov:skip=CKV_AWS_144:a second region is the reader's choice; signalbox backup can write to two places
  #checkov:skip=CKV2_AWS_62:nobody listens to a new backup; Signalbox itself reports one that is missing
  bucket = "${var.name}-backups-${local.account}"
}

resource "aws_s3_bucket" "logs" {
  #checkov:skip=CKV_AWS_144:access logs are not worth a second region
  #checkov:skip=CKV_AWS_145:the balancer can't write its logs to a bucket with a key of one's own
  #checkov:skip=CKV_AWS_18:this is where access logs end
  #checkov:skip=CKV2_AWS_62:nobody listens to a new log
  bucket = "${var.name}-logs-${local.account}"
}

resource "aws_s3_bucket_logging" "backups" {
  bucket        = aws_s3_bucket.backups.id
  target_bucket = aws_s3_bucket.logs.id
  target_prefix = "backups/"
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = { backups = aws_s3_bucket.backups.id, logs = aws_s3_bucket.logs.id }
  bucket   = each.value
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "backups" {
  bucket = aws_s3_bucket.backups.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
    bucket_key_enabled = true
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id
  rule {
    apply_server_side_encryption_by_default { sse_algorithm = "AES256" }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each                = { backups = aws_s3_bucket.backups.id, logs = aws_s3_bucket.logs.id }
  bucket                  = each.value
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = { backups = aws_s3_bucket.backups.id, logs = aws_s3_bucket.logs.id }
  bucket   = each.value
  rule {
    id     = "forget"
    status = "Enabled"
    filter {}
    # Signalbox prunes after 30 calendar days; this is the net below.
    expiration { days = 90 }
    noncurrent_version_expiration { noncurrent_days = 30 }
    abort_incomplete_multipart_upload { days_after_initiation = 2 }
  }
}

resource "aws_s3_bucket_policy" "backups" {
  bucket = aws_s3_bucket.backups.id
  policy = data.aws_iam_policy_document.backups.json
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.logs.id
  policy = data.aws_iam_policy_document.logs.json
}

# What all nodes have to see alike: promoted models, their registry, scores, pictures.
resource "aws_efs_file_system" "data" {
  creation_token = var.name
  encrypted      = true
  kms_key_id     = aws_kms_key.this.arn
  tags           = { Name = var.name }
}

resource "aws_efs_backup_policy" "data" {
  file_system_id = aws_efs_file_system.data.id
  backup_policy { status = "ENABLED" }
}

resource "aws_efs_mount_target" "data" {
  for_each        = aws_subnet.private
  file_system_id  = aws_efs_file_system.data.id
  subnet_id       = each.value.id
  security_groups = [aws_security_group.stores.id]
}

# Whoever mounts it is the images' user and sees this folder only.
resource "aws_efs_access_point" "data" {
  file_system_id = aws_efs_file_system.data.id
  posix_user {
    uid = 10001
    gid = 10001
  }
  root_directory {
    path = "/signalbox"
    creation_info {
      owner_uid   = 10001
      owner_gid   = 10001
      permissions = "0750"
    }
  }
}

resource "aws_efs_file_system_policy" "data" {
  file_system_id = aws_efs_file_system.data.id
  policy         = data.aws_iam_policy_document.data.json
}
