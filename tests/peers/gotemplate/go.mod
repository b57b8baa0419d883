module rollcast/tests/peers/gotemplate

go 1.21
