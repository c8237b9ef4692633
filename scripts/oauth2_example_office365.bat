@echo off
setlocal
rem The addresses below are in UTF-8.
chcp 65001 >nul

rem Gets a token for this mailbox at Microsoft 365, or a fresh one. Write its address here:
set address=foo@example.com

rem Nothing below has to be changed. --------------------------------------------------------------

set status=73
cd /d "%~dp0.." || goto end
if not exist dist\cli.js (
  echo mxtoken is not built yet. In "%CD%" type: npm ci, then npm run build
  set status=78
  goto end
)
node dist\cli.js --home . --provider office365 "%address%"
set status=%errorlevel%

:end
rem Keeps the window of a double-click open. In a scheduled task, take this line out:
pause
exit /b %status%
