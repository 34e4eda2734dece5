< Plain | ScramSha256 | ScramSha512 >
