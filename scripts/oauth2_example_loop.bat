@echo off
setlocal

rem Keeps the tokens of these mailboxes fresh until Ctrl-C. Write their addresses here, with a blank
rem between them; for a move, the old one and the new one:
set addresses=foo@example.com bar@example.org

rem How many minutes there are between two turns. A token lives about 60 minutes.
set interval=30

rem More options for every turn, for example: set options=--quiet
set options=

rem Nothing below has to be changed. --------------------------------------------------------------

cd /d "%~dp0.."
if not exist dist\cli.js (
  echo mxtoken is not built yet. In "%CD%" type: npm ci, then npm run build
  set status=78
  goto end
)
echo Ctrl-C ends this. Windows then asks "Terminate batch job (Y/N)?": answer Y.

:turn
for %%a in (%addresses%) do call :refresh %%a
node scripts\wait.js %interval%
if not errorlevel 1 goto turn
set status=%errorlevel%
goto end

:refresh
node dist\cli.js --home . %options% %1
rem A turn that fails ends nothing: the stored token may be good for a while, and the next turn
rem tries again.
if errorlevel 1 echo No fresh token for %1 this time: status %errorlevel%.
exit /b 0

:end
rem Keeps the window of a double-click open. In a scheduled task, take this line out:
pause
exit /b %status%
