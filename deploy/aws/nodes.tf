data "aws_ssm_parameter" "machine_image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

data "aws_ecr_repository" "this" {
  name = var.repository
}

# Which image a colour runs. A node reads it when it starts; release.py sets it for the idle colour.
resource "aws_ssm_parameter" "image_tag" {
  #checkov:skip=CKV2_AWS_34:the tag of an image is no secret
  #checkov:skip=CKV_AWS_337:the tag of an image is no secret
  for_each = local.colours
  name     = "/${var.name}/${each.key}/image-tag"
  type     = "String"
  value    = var.image_tag
  lifecycle { ignore_changes = [value] }
}

resource "aws_launch_template" "node" {
  for_each               = local.groups
  name                   = "${var.name}-${each.key}"
  image_id               = data.aws_ssm_parameter.machine_image.value
  instance_type          = local.sizes[each.value.role].type
  vpc_security_group_ids = [aws_security_group.nodes.id]
  update_default_version = true
  iam_instance_profile { arn = aws_iam_instance_profile.node.arn }
  # One hop: containers share the host's network, and nothing farther away gets at the role.
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  monitoring { enabled = true }
  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_size = 30
      volume_type = "gp3"
      encrypted   = true
    }
  }
  user_data = base64encode(templatefile("${path.module}/templates/node.yaml.tftpl", {
    name       = var.name
    region     = var.region
    colour     = each.value.colour
    role       = each.value.role
    registry   = split("/", data.aws_ecr_repository.this.repository_url)[0]
    repository = data.aws_ecr_repository.this.repository_url
    database   = aws_secretsmanager_secret.database.name
    settings   = aws_secretsmanager_secret.settings.name
    log_group  = aws_cloudwatch_log_group.nodes.name
    backups    = aws_s3_bucket.backups.id
    files      = aws_efs_file_system.data.id
    entry      = aws_efs_access_point.data.id
    port       = local.port
  }))
}

resource "aws_autoscaling_group" "node" {
  depends_on                = [aws_efs_mount_target.data, aws_secretsmanager_secret_version.database]
  for_each                  = local.groups
  name                      = "${var.name}-${each.key}"
  vpc_zone_identifier       = [for subnet in aws_subnet.private : subnet.id]
  min_size                  = each.value.colour == local.first ? local.sizes[each.value.role].least : 0
  max_size                  = local.sizes[each.value.role].most
  target_group_arns         = each.value.role == "web" ? [aws_lb_target_group.web[each.value.colour].arn] : []
  health_check_type         = each.value.role == "web" ? "ELB" : "EC2"
  health_check_grace_period = 180
  launch_template {
    id      = aws_launch_template.node[each.key].id
    version = aws_launch_template.node[each.key].latest_version
  }
  tag {
    key                 = "Name"
    value               = "${var.name}-${each.key}"
    propagate_at_launch = true
  }
  # A release starts and stops colours.
  lifecycle { ignore_changes = [min_size, desired_capacity] }
}

resource "aws_autoscaling_policy" "busy" {
  for_each               = local.groups
  name                   = "busy"
  autoscaling_group_name = aws_autoscaling_group.node[each.key].name
  policy_type            = "TargetTrackingScaling"
  target_tracking_configuration {
    predefined_metric_specification { predefined_metric_type = "ASGAverageCPUUtilization" }
    target_value = 60
  }
}

resource "aws_cloudwatch_log_group" "nodes" {
  name              = "/${var.name}/nodes"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.this.arn
}
