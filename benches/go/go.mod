module tidemill/benches

go 1.22
