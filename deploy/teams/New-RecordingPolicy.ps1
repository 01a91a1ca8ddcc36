<#
.SYNOPSIS
Makes Microsoft Teams invite recorderbot: creates the application instance, the
compliance recording policy and the policy's recording application, and grants
the policy if asked to.

.DESCRIPTION
Run it once per tenant whose users are recorded, as an administrator of that
tenant (Teams Administrator, and User Administrator for the application
instance). It may be run again: what exists is left as it is or brought up to
the parameters, and nothing is created twice. -WhatIf shows what it would do.

Before: the application registration exists with the permissions
Calls.JoinGroupCall.All, Calls.AccessMedia.All and the Teams channel of its bot,
an administrator of this tenant has granted consent, the tenant's ID is in
app.tenants of recorderbot.yaml, and you have signed in:

    Install-Module MicrosoftTeams
    Connect-MicrosoftTeams

After: policies settle within minutes. Only calls and meetings that begin then
are recorded; running ones are not affected.

A policy that already names another recording application is not touched: use a
policy name of its own.

.PARAMETER ApplicationId
The Entra application (client) ID of the bot: app.id in recorderbot.yaml.

.PARAMETER UserPrincipalName
Name of the application instance, a resource account that is created if it does
not exist, for example recorder@contoso.onmicrosoft.com. It needs no licence.

.PARAMETER PolicyName
Name of the compliance recording policy.

.PARAMETER DisplayName
What people see of the recorder in the list of participants.

.PARAMETER Description
Description of the policy.

.PARAMETER RequiredBeforeMeetingJoin
$true: a user may not join a meeting unless the recorder has joined.

.PARAMETER RequiredDuringMeeting
$true: a user is removed from the meeting when the recorder leaves it.

.PARAMETER RequiredBeforeCallEstablishment
$true: a call does not come about unless the recorder has joined.

.PARAMETER RequiredDuringCall
$true: a call is ended when the recorder leaves it. recorderbot leaves a call
that it can't record (recording.onFailure: leave); this flag then decides about
the user's call.

.PARAMETER ConcurrentInvitationCount
1, or 2 for two invites of each call to the same bot, which then records it
twice.

.PARAMETER Priority
Order in which Teams shows several recording applications. It changes nothing
else: all are invited at the same time.

.PARAMETER RecordReroutedCalls
$true: also calls that are forwarded, transferred or delegated away from a user
of the policy.

.PARAMETER DisableComplianceRecordingAudioNotificationForCalls
$true: no spoken notice in calls of two. Ask a lawyer first.

.PARAMETER GrantToUser
User principal names that get the policy.

.PARAMETER GrantToGroup
Object ID or address of a group that gets the policy, with -Rank.

.PARAMETER Rank
Which policy wins for members of several groups; 1 wins over 2.

.PARAMETER GrantToAll
Everyone in the tenant gets the policy.

.EXAMPLE
.\New-RecordingPolicy.ps1 -ApplicationId 00000000-0000-0000-0000-000000000000 -UserPrincipalName recorder@contoso.onmicrosoft.com -PolicyName Trading -GrantToUser adele@contoso.com -WhatIf

Shows what would be created and granted.

.EXAMPLE
.\New-RecordingPolicy.ps1 -ApplicationId 00000000-0000-0000-0000-000000000000 -UserPrincipalName recorder@contoso.onmicrosoft.com -PolicyName Trading -RequiredDuringCall $false -RequiredDuringMeeting $false

Calls begin only when they are recorded, but are not cut when recording fails.

.NOTES
Not yet run against a tenant: the parameters are those of Microsoft's
documentation of the MicrosoftTeams module.
#>
#Requires -Version 5.1
#Requires -Modules MicrosoftTeams
[CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'None')]
param(
    [Parameter(Mandatory = $true)]
    [guid] $ApplicationId,

    [Parameter(Mandatory = $true)]
    [ValidatePattern('^[^@\s]+@[^@\s]+\.[^@\s]+$')]
    [string] $UserPrincipalName,

    [Parameter(Mandatory = $true)]
    [ValidatePattern('^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$')]
    [string] $PolicyName,

    [ValidateLength(1, 64)]
    [string] $DisplayName = 'Compliance recorder',

    [ValidateLength(1, 256)]
    [string] $Description = 'Calls and meetings are recorded by recorderbot',

    [bool] $RequiredBeforeMeetingJoin = $true,
    [bool] $RequiredDuringMeeting = $true,
    [bool] $RequiredBeforeCallEstablishment = $true,
    [bool] $RequiredDuringCall = $true,

    [ValidateRange(1, 2)]
    [uint32] $ConcurrentInvitationCount = 1,

    [ValidateRange(0, 100)]
    [int] $Priority = 0,

    [bool] $RecordReroutedCalls = $false,
    [bool] $DisableComplianceRecordingAudioNotificationForCalls = $false,

    [Parameter(Mandatory = $true, ParameterSetName = 'Users')]
    [ValidatePattern('^[^@\s]+@[^@\s]+\.[^@\s]+$')]
    [string[]] $GrantToUser,

    [Parameter(Mandatory = $true, ParameterSetName = 'Group')]
    [ValidateNotNullOrEmpty()]
    [string] $GrantToGroup,

    [Parameter(ParameterSetName = 'Group')]
    [ValidateRange(1, 1000)]
    [int] $Rank = 1,

    [Parameter(Mandatory = $true, ParameterSetName = 'All')]
    [switch] $GrantToAll
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

# What does not exist is $null; every other failure ends the script, so that no
# second one is made because the first could not be seen.
function Get-OrNull([scriptblock] $Get) {
    try {
        & $Get
    }
    catch {
        if ($_.Exception.Message -notmatch 'not found|cannot find|can''t find|does not exist|NotFound') {
            throw
        }
    }
}

# 1. The application instance: the account by which Teams knows the bot.
$instance = Get-OrNull { Get-CsOnlineApplicationInstance -Identity $UserPrincipalName -ErrorAction Stop }
if ($instance) {
    if ([guid] $instance.ApplicationId -ne $ApplicationId) {
        throw "$UserPrincipalName belongs to application $($instance.ApplicationId), not to $ApplicationId. Choose another -UserPrincipalName."
    }
    Write-Verbose "application instance $UserPrincipalName exists"
}
elseif ($PSCmdlet.ShouldProcess($UserPrincipalName, 'Create application instance')) {
    $instance = New-CsOnlineApplicationInstance -UserPrincipalName $UserPrincipalName -DisplayName $DisplayName -ApplicationId $ApplicationId
}
if (-not $instance) {
    Write-Warning "What follows needs the application instance, which -WhatIf did not create: synchronise it, create policy $PolicyName with it, grant the policy."
    return
}

# Teams' calling service must know the instance too. It says so if it does.
if ($PSCmdlet.ShouldProcess($UserPrincipalName, 'Make the instance known to the calling service')) {
    try {
        Sync-CsOnlineApplicationInstance -ObjectId $instance.ObjectId -ApplicationId $ApplicationId | Out-Null
    }
    catch {
        if ($_.Exception.Message -notmatch 'same key has already been added') {
            throw
        }
        Write-Verbose 'the calling service knows the instance'
    }
}

# 2. The policy.
$policySettings = @{
    Identity                                            = $PolicyName
    Enabled                                             = $true
    Description                                         = $Description
    RecordReroutedCalls                                 = $RecordReroutedCalls
    DisableComplianceRecordingAudioNotificationForCalls = $DisableComplianceRecordingAudioNotificationForCalls
}
$policy = Get-OrNull { Get-CsTeamsComplianceRecordingPolicy -Identity $PolicyName -ErrorAction Stop }
if ($policy) {
    $others = @($policy.ComplianceRecordingApplications | Where-Object { $_ -and $_.Id -ne $instance.ObjectId })
    if ($others.Count -gt 0) {
        throw "Policy $PolicyName already names another recording application ($($others[0].Id)). Choose another -PolicyName."
    }
}
elseif ($PSCmdlet.ShouldProcess($PolicyName, 'Create compliance recording policy')) {
    $policy = New-CsTeamsComplianceRecordingPolicy @policySettings
}

# 3. The policy's recording application: this bot, and what happens without it.
$applicationSettings = @{
    Parent                          = $PolicyName
    Id                              = [string] $instance.ObjectId
    RequiredBeforeMeetingJoin       = $RequiredBeforeMeetingJoin
    RequiredDuringMeeting           = $RequiredDuringMeeting
    RequiredBeforeCallEstablishment = $RequiredBeforeCallEstablishment
    RequiredDuringCall              = $RequiredDuringCall
    ConcurrentInvitationCount       = $ConcurrentInvitationCount
    Priority                        = $Priority
}
if ($PSCmdlet.ShouldProcess($PolicyName, "Record with application instance $($instance.ObjectId)")) {
    $application = New-CsTeamsComplianceRecordingApplication @applicationSettings
    Set-CsTeamsComplianceRecordingPolicy @policySettings -ComplianceRecordingApplications @($application)
}

# 4. Who is recorded.
if ($GrantToAll -and $PSCmdlet.ShouldProcess('everyone in the tenant', "Grant policy $PolicyName")) {
    Grant-CsTeamsComplianceRecordingPolicy -Global -PolicyName $PolicyName
}
if ($GrantToGroup -and $PSCmdlet.ShouldProcess($GrantToGroup, "Grant policy $PolicyName with rank $Rank")) {
    Grant-CsTeamsComplianceRecordingPolicy -Group $GrantToGroup -PolicyName $PolicyName -Rank $Rank
}
foreach ($user in @($GrantToUser | Where-Object { $_ })) {
    if ($PSCmdlet.ShouldProcess($user, "Grant policy $PolicyName")) {
        Grant-CsTeamsComplianceRecordingPolicy -Identity $user -PolicyName $PolicyName
    }
}

[pscustomobject] @{
    ApplicationId       = $ApplicationId
    ApplicationInstance = $instance.ObjectId
    UserPrincipalName   = $UserPrincipalName
    PolicyName          = $PolicyName
    Policy              = if ($policy) { $policy.Identity } else { $null }
}
