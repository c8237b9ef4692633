@echo off
setlocal
rem The addresses below are in UTF-8.
chcp 65001 >nul

rem Keeps the tokens of these mailboxes fresh until Ctrl-C. Write their addresses here, with a blank
rem between them; for a move, the old one and the new one. Where one address has a mailbox on both
rem sides, write it twice, each time with its provider behind a colon:
rem   set addresses=foo@example.com:google foo@example.com:office365
set addresses=foo@example.com bar@example.org

rem How many minutes there are between two turns. A token lives about 60 minutes.
set interval=30

rem More options for every turn, for example: set options=--quiet
set options=

rem Nothing below has to be changed. --------------------------------------------------------------

set status=73
cd /d "%~dp0.." || goto end
if not exist dist\cli.js (
  echo mxtoken is not built yet. In "%CD%" type: npm ci, then npm run build
  set status=78
  goto end
)
if "%addresses%"=="" (
  echo No addresses are written at the top of %0.
  set status=64
  goto end
)
node scripts\wait.js --check "%interval%"
set status=%errorlevel%
if not %status%==0 goto end
echo Ctrl-C ends this. Windows then asks "Terminate batch job (Y/N)?": answer Y.

:turn
for %%a in (%addresses%) do (
  call :refresh %%a
  if errorlevel 129 goto interrupted
)
node scripts\wait.js %interval%
set status=%errorlevel%
if %status%==0 goto turn
goto end

:refresh
for /f "tokens=1,2 delims=:" %%b in ("%1") do (
  set address=%%b
  set provider=%%c
)
if defined provider (
  node dist\cli.js --home . %options% --provider %provider% "%address%"
) else (
  node dist\cli.js --home . %options% "%address%"
)
set status=%errorlevel%
set provider=
rem Ctrl-C while somebody is to sign in, which the program reads itself.
if %status% geq 129 exit /b %status%
rem A turn that fails ends nothing: the stored token may be good for a while, and the next turn
rem tries again.
if not %status%==0 echo No fresh token for %1 this time: status %status%.
exit /b 0

:interrupted
set status=130

:end
rem Keeps the window of a double-click open. In a scheduled task, take this line out:
pause
exit /b %status%
