@rem Keeps the tokens of these mailboxes fresh until Ctrl-C. Write their addresses into the last line, with
@rem a blank between them: for a move, the old one and the new one. Somebody must have signed in for each of
@rem them before. More options may stand there as well; where the mailboxes need different ones, write
@rem them into a file, one mailbox a line with its options, and pass --list FILE instead of addresses:
@rem   foo@example.com --provider google
@rem   foo@example.com --provider office365

@chcp 65001 >nul & cd /d "%~dp0.." & if not exist dist\cli.js (echo mxtoken is not built yet. In "%~dp0.." type: npm ci, then npm run build & pause & exit /b 78)
@node dist\cli.js keep --home . --every 30m foo@example.com bar@example.org
