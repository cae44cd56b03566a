# terraform test: plans against a made-up account, so it needs neither credentials nor a network.
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_data "aws_ecr_repository" {
    defaults = { repository_url = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/signalbox" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
}

variables {
  region            = "eu-central-1"
  domain            = "bot.example.com"
  certificate_arn   = "arn:aws:acm:eu-central-1:123456789012:certificate/11111111-1111-1111-1111-111111111111"
  zones             = ["eu-central-1a", "eu-central-1b"]
  image_tag         = "1.0.0"
  database_password = "abcdefghijklmnopqrstuvwxyz0123456789"
  redis_auth_token  = "abcdefghijklmnop0123456789"
}

run "one_colour_takes_all_traffic_and_the_other_is_off" {
  command = plan
  assert {
    condition     = aws_autoscaling_group.node["web-blue"].min_size == 2 && aws_autoscaling_group.node["workers-blue"].min_size == 1
    error_message = "The first colour does not start."
  }
  assert {
    condition     = aws_autoscaling_group.node["web-green"].min_size == 0 && aws_autoscaling_group.node["workers-green"].min_size == 0
    error_message = "The idle colour runs."
  }
  assert {
    condition     = sum([for group in aws_lb_listener.https.default_action[0].forward[0].target_group : group.weight]) == 100
    error_message = "The weights of the colours are not 100 together."
  }
}

run "nothing_but_the_balancer_is_open_to_the_world" {
  command = plan
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.world : contains([80, 443], rule.to_port)])
    error_message = "Another port than 80 and 443 is open to the world."
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.stores : rule.cidr_ipv4 == null])
    error_message = "A store can be reached from outside."
  }
}

run "what_holds_data_is_encrypted_and_kept" {
  command = plan
  assert {
    condition     = aws_db_instance.this.storage_encrypted && aws_db_instance.this.deletion_protection && aws_db_instance.this.multi_az
    error_message = "The database is not encrypted, protected and in two zones."
  }
  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled && aws_efs_file_system.data.encrypted
    error_message = "The cache or the files are not encrypted."
  }
}

run "a_name_that_is_too_long_is_refused" {
  command = plan
  variables { name = "a-name-that-no-balancer-can-have" }
  expect_failures = [var.name]
}

run "one_zone_is_refused" {
  command = plan
  variables { zones = ["eu-central-1a"] }
  expect_failures = [var.zones]
}
