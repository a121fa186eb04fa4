-- ARGV: id. Reply: its row, nil for an unknown id.
return row(ARGV[1])
