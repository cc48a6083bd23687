"""What tests share: clocks, servers, builders of values."""
