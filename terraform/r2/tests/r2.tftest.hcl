# What is refused, before anything is made.

mock_provider "cloudflare" {}

variables {
  account_id = "0123456789abcdef0123456789abcdef"
}

run "account_that_is_none" {
  command = plan
  variables {
    account_id = "mine"
  }
  expect_failures = [var.account_id]
}

run "bucket_name_that_is_none" {
  command = plan
  variables {
    bucket = "My Pictures"
  }
  expect_failures = [var.bucket]
}

run "inputs_deleted_too_early" {
  command = plan
  variables {
    input_days = 7
  }
  # The mocked Cloudflare offers no permissions.
  expect_failures = [var.input_days, cloudflare_account_token.worker]
}

run "permissions_that_are_not_offered" {
  command         = plan
  expect_failures = [cloudflare_account_token.worker]
}
